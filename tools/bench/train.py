"""Time training: audio-seconds per second, waiting for data, where a step's time goes.

And the same work done by others.

    python tools/bench/train.py --train TRAIN.jsonl --net default --threads 2
    python tools/bench/train.py --train TRAIN.jsonl --against bare
    python tools/bench/train.py --train TRAIN.jsonl --against speechbrain \\
        --peer-python PEER/bin/python

Without --train, on noise with invented texts. One run is `--epochs` epochs of `--batches` batches
with a fresh network; `ours` is `fit` from its `start` record to its end, records and checkpoints
written. What `fit` measures once in a training is part of it, and weighs the more the fewer epochs.
`bare` is a loop as one writes it by hand, over the same loader, network, loss and optimiser.
`speechbrain` is peer_speechbrain.py in an environment of its own. Runs are interleaved; a ratio is
a median of seconds by that of ours, with its 95 % bootstrap interval over rounds: above 1, ours is
the faster. `ours` and `bare` run in a process whose memory and waiting threads are settled as
`ctcasr train` settles them, the peer in one as torch leaves it (set GOMP_SPINCOUNT or
OMP_WAIT_POLICY, and it holds for all). Files are decoded anew in each run unless --cache, by which
ours and bare keep decoded samples, as training does by default.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from _pairs import Run, interleaved, ratio

from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.kernels.governor import settle_waiting
from ctcasr.kernels.heap import settle_heap, settle_pages
from ctcasr.kernels.primitives import settle_primitives
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.records import StepRecord
from ctcasr.seq import Seq
from ctcasr.specs import NetSpec, describe
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit
from ctcasr.train.bf16 import rounded_products
from ctcasr.train.initialise import measure_statistics
from ctcasr.train.schedule import make_optimiser

TOKENIZER = Alphabet.english38()
PARTS = ("data", "features", "network", "loss", "backward", "optimiser")
CACHE_BYTES = 1 << 30
UNSETTLED = "CTCASR_BENCH_ADDED"  # to the environment: names, by commas
SPLIT_RUNS = 3  # of which the median is where a step's time goes
NOISE_S = (2.0, 6.0)  # lengths of invented utterances
LETTERS_PER_S = 10  # of their texts
LETTERS = tuple("etaoin shrdlu")


class Bench:
    """One network, the batches it is trained on and the ways to do so."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.device: str = arguments.device
        self.spec: NetSpec = read_spec(arguments.net)
        self.config = TrainConfig(
            epochs=arguments.epochs,
            device=self.device,
            schedule="constant",
            bf16=arguments.bf16,
        )
        self.loader = make_loader(arguments, folder, self.spec.front.rate_hz)
        self.wait_s = 0.0  # of ours, for data
        self.fit_s = 0.0

    def model(self) -> SpeechModel:
        """A fresh network, with the statistics of the corpus where it asks for them."""
        torch.manual_seed(0)
        network = build(self.spec, TOKENIZER.size)
        measure_statistics(network, self.loader)
        return network

    def ours(self) -> float:
        """Seconds of `fit`; its trial steps before the start are not counted."""
        task = Recognise(self.model(), TOKENIZER, spec_to(self.spec))
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            records = fit(task, self.loader, None, out=out, config=self.config)
            for record in records:
                if record.kind == "start":
                    break
            started = time.perf_counter()
            for record in records:
                if isinstance(record, StepRecord):
                    self.wait_s += record.wait_s or 0.0
            self.wait_for_device()
            seconds = time.perf_counter() - started
        self.fit_s += seconds
        return seconds

    def bare(self) -> float:
        """Seconds of the same by a loop written by hand."""
        model = self.model().to(self.device).train()
        optimiser = make_optimiser(self.config, model.parameters())
        started = time.perf_counter()
        for epoch in range(self.config.epochs):
            for batch in self.loader.epoch(epoch):
                assert batch is not None
                loss = loss_of(model(batch.audio.to(self.device)), batch)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), self.config.clip)
                optimiser.step()
        self.wait_for_device()
        return time.perf_counter() - started

    def split(self) -> dict[str, float]:
        """Seconds of each part of the steps of an epoch, the device waited for after each part."""
        model = self.model().to(self.device).train()
        optimiser = make_optimiser(self.config, model.parameters())
        seconds = dict.fromkeys(PARTS, 0.0)
        clock = time.perf_counter()

        def tick(part: str) -> None:
            nonlocal clock
            self.wait_for_device()
            now = time.perf_counter()
            seconds[part] += now - clock
            clock = now

        for batch in self.loader.epoch(0):
            assert batch is not None
            audio = batch.audio.to(self.device)
            tick("data")
            features = model.front(audio)
            tick("features")
            with self.products():
                logits = model.body(features)
            tick("network")
            loss = loss_of(logits, batch)
            tick("loss")
            loss.backward()
            tick("backward")
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.config.clip)
            optimiser.step()
            optimiser.zero_grad()
            tick("optimiser")
        return seconds

    def products(self) -> contextlib.AbstractContextManager[None]:
        """Within, products have the type that `fit` gives them."""
        return rounded_products(self.device) if self.config.bf16 else contextlib.nullcontext()

    def wait_for_device(self) -> None:
        """Until all work is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def peer_task(self) -> dict[str, Any]:
        """What peer_speechbrain.py is told: network, optimiser, and the same batches."""
        spec = spec_to(self.spec)
        task: dict[str, Any] = {}
        for name in ("conv", "rnn", "layers", "hidden", "bidirectional", "fc", "dropout"):
            task[name] = spec[name]
        for name in ("bands", "n_fft", "rate_hz"):
            task[name] = spec["front"][name]
        for name in ("lr", "weight_decay", "clip"):
            task[name] = getattr(self.config, name)
        for name in ("epochs", "batch_size", "threads", "workers", "device", "peer_bf16"):
            task[name] = getattr(self.arguments, name)
        task["symbols"] = TOKENIZER.size
        task["items"] = self.peer_items()
        return task

    def peer_items(self) -> dict[str, dict[str, Any]]:
        """The utterances in the order of the batches, as SpeechBrain reads them."""
        corpus = self.loader.corpus
        items = {}
        for batch in self.loader.plan(0):
            for index in batch:
                utterance = corpus.utterances[index]
                file: Any = str(utterance.audio_filepath)
                if utterance.offset:
                    start = round(utterance.offset * corpus.rate_hz)
                    stop = start + round((utterance.duration or 0) * corpus.rate_hz)
                    file = {"file": file, "start": start, "stop": stop}
                labels = TOKENIZER.encode(utterance.text or "")
                items[f"{index}-{utterance.id}"] = {"file": file, "labels": labels}
        return items

    @contextlib.contextmanager
    def speechbrain(self) -> Iterator[Run]:
        """A way to run peer_speechbrain.py on the same batches.

        In a process that waits in between.
        """
        path = self.folder / "task.json"
        path.write_text(json.dumps(self.peer_task()), encoding="utf-8")
        script = Path(__file__).with_name("peer_speechbrain.py")
        command = [self.arguments.peer_python, str(script), str(path)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=unsettled()) as peer:
            assert peer.stdin is not None
            facts = answer_of(peer)
            print(f"SpeechBrain {facts['version']}, torch {facts['torch']}")
            own_parameters = count_parameters(self.model())
            if facts["parameters"] != own_parameters:
                sys.exit(
                    f"expected the same network in both; got {own_parameters} parameters here and "
                    f"{facts['parameters']} there"
                )

            def run_once() -> float:
                print(file=peer.stdin, flush=True)
                return float(answer_of(peer)["seconds"])

            yield run_once
            peer.stdin.close()


def settle() -> None:
    """Memory and waiting threads as `ctcasr train` has them; torch is loaded anew for that."""
    before = set(os.environ)
    settle_waiting()
    settle_primitives()
    settle_pages()
    added = set(os.environ) - before
    if added:
        os.environ[UNSETTLED] = ",".join(sorted(added))
        os.execv(sys.executable, [sys.executable, *sys.argv])
    settle_heap()


def unsettled() -> dict[str, str]:
    """The environment as the user has it."""
    added = os.environ.get(UNSETTLED, "").split(",")
    return {name: value for name, value in os.environ.items() if name not in (*added, UNSETTLED)}


def answer_of(peer: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that the peer writes."""
    assert peer.stdout is not None
    line = peer.stdout.readline()
    if not line:
        sys.exit("the peer ended; its message is above")
    answer: dict[str, Any] = json.loads(line)
    return answer


def loss_of(logits: Seq, batch: Batch) -> Tensor:
    """Mean of the rows."""
    rows = ctc_loss(
        logits.data,
        batch.targets,
        logits.lengths,
        batch.target_lengths,
        reduction="none",
        zero_infinity=True,
    )
    return rows.mean()


def count_parameters(model: SpeechModel) -> int:
    """All of them."""
    return sum(parameter.numel() for parameter in model.parameters())


def make_loader(arguments: argparse.Namespace, folder: Path, rate_hz: int) -> Loader:
    """As many batches as are asked for, of a manifest or of noise."""
    count = arguments.batches * arguments.batch_size
    if arguments.train:
        utterances = read_manifest(arguments.train).utterances
    else:
        utterances = tuple(noise(folder, count, rate_hz))
    chosen = np.random.default_rng(0).permutation(len(utterances))[:count]
    corpus = Corpus(
        [utterances[index] for index in sorted(chosen)],
        TOKENIZER,
        rate_hz,
        cache_bytes=CACHE_BYTES if arguments.cache else 0,
    )
    return Loader(
        corpus,
        batch_size=arguments.batch_size,
        order="shuffle",
        workers=arguments.workers,
        pin=arguments.device == "cuda",
    )


def noise(folder: Path, count: int, rate_hz: int) -> Iterator[Utterance]:
    """Utterances of two to six seconds of noise, ten invented letters a second."""
    rng = np.random.default_rng(0)
    for index in range(count):
        seconds = float(rng.uniform(*NOISE_S))
        samples = 0.1 * rng.standard_normal(round(seconds * rate_hz))
        path = folder / f"{index}.wav"
        soundfile.write(path, samples, rate_hz)
        text = "".join(rng.choice(LETTERS, round(LETTERS_PER_S * seconds)))
        yield Utterance(path, seconds, text)


def command_line() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", default="", help="manifest; none: noise")
    parser.add_argument(
        "--net",
        default="default",
        help='a preset, with changes ("default rnn=gru"), or a .toml file',
    )
    parser.add_argument("--batches", type=int, default=16, help="in each epoch")
    parser.add_argument("--epochs", type=int, default=1, help="of each run")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--cache", action="store_true", help="keep decoded samples from run to run")
    parser.add_argument(
        "--bf16",
        action="store_true",
        help="ours with products in bfloat16; the others stay in float32",
    )
    parser.add_argument(
        "--peer-bf16", action="store_true", help="SpeechBrain by its own precision bf16"
    )
    parser.add_argument("--against", nargs="*", default=[], choices=("bare", "speechbrain"))
    parser.add_argument(
        "--peer-python", default=sys.executable, help="interpreter that has SpeechBrain"
    )
    return parser


def main() -> None:
    """Print who needs how long, and where a step's time goes."""
    arguments = command_line().parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = Bench(arguments, Path(folder))
        print_head(bench)
        ways: dict[str, Run] = {"ours": bench.ours}
        if "bare" in arguments.against:
            ways["bare"] = bench.bare
        if "speechbrain" in arguments.against:
            ways["speechbrain"] = stack.enter_context(bench.speechbrain())
        interleaved(ways, 1)  # compiles, allocates
        bench.wait_s = 0.0
        bench.fit_s = 0.0
        times = interleaved(ways, arguments.rounds)
        print_times(times, arguments.epochs * bench.loader.seconds)
        print(f"\nwaiting for data: {100 * bench.wait_s / bench.fit_s:.1f} % of ours")
        print("a step, ms: " + where_time_goes(bench))


def print_head(bench: Bench) -> None:
    """What is trained on what, where."""
    arguments = bench.arguments
    place = f"CPU, {arguments.threads} threads"
    if arguments.device == "cuda":
        place = torch.cuda.get_device_name()
    print(
        f"{describe(bench.spec)}, {count_parameters(bench.model())} parameters; {place}; "
        f"torch {torch.__version__}; {arguments.workers} workers"
    )
    audio_s = arguments.epochs * bench.loader.seconds
    print(
        f"{len(bench.loader)} batches of {arguments.batch_size}, epochs of a run: "
        f"{arguments.epochs}, audio: {audio_s:.0f} s, {arguments.rounds} rounds\n"
    )


def print_times(times: dict[str, list[float]], audio_s: float) -> None:
    """A row for everybody."""
    print("| way | s | audio-s per s | times ours |\n|---|---|---|---|")
    for name, seconds in times.items():
        median_s = statistics.median(seconds)
        against = "" if name == "ours" else str(ratio(seconds, times["ours"]))
        print(f"| {name} | {median_s:.2f} | {audio_s / median_s:.0f} | {against} |")


def where_time_goes(bench: Bench) -> str:
    """Milliseconds and share of each part of a step, medians of a few epochs."""
    runs = [bench.split() for _ in range(SPLIT_RUNS)]
    medians_s = {}
    for part in PARTS:
        medians_s[part] = statistics.median(run[part] for run in runs)
    total_s = sum(medians_s.values())
    shown = []
    for part, seconds in medians_s.items():
        step_ms = 1e3 * seconds / len(bench.loader)
        shown.append(f"{part} {step_ms:.1f} ({100 * seconds / total_s:.0f} %)")
    return ", ".join(shown)


if __name__ == "__main__":
    settle()  # not by whoever calls main(): the process begins anew
    main()
