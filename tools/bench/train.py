"""Time training: audio-seconds per second, waiting for data, where a step's time goes; and the same work done by others.

    python tools/bench/train.py --train TRAIN.jsonl --net default --threads 2
    python tools/bench/train.py --train TRAIN.jsonl --against bare
    python tools/bench/train.py --train TRAIN.jsonl --against speechbrain --peer-python PEER/bin/python

Without --train, on noise with invented texts. One run is an epoch of `--batches` batches with a fresh network; `ours` is `fit` from its
`start` record to its end, records and checkpoints written. `bare` is a loop as one writes it by hand, over the same loader, network,
loss and optimiser. `speechbrain` is tools/peer_speechbrain.py in an environment of its own. Runs are interleaved; a ratio is a median
of seconds by that of ours, with its 95 % bootstrap interval over rounds: above 1, ours is the faster.
Files are decoded anew in each run unless --cache, by which ours and bare keep decoded samples, as training does by default.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).parent))
from _pairs import interleaved, ratio, spelt

from ctcasr.batch import Utterance
from ctcasr.ctc import ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.specs import NetSpec, describe
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit
from ctcasr.train.config import make_optimiser

TOKENIZER = Alphabet.english38()
PARTS = ("data", "features", "network", "loss", "backward", "optimiser")


class Bench:
    """One network, the batches it is trained on and the ways to do so."""

    def __init__(self, a: argparse.Namespace, folder: Path) -> None:
        self.spec: NetSpec = read_spec(a.net)
        self.folder, self.plan = (
            folder,
            TrainConfig(epochs=1, device=a.device, schedule="constant", bf16=a.bf16),
        )
        lines = (
            read_manifest(a.train).utterances
            if a.train
            else noise(folder, a.batches * a.batch_size, self.spec.front.rate_hz)
        )
        chosen = np.random.default_rng(0).permutation(len(lines))[: a.batches * a.batch_size]
        corpus = Corpus(
            [lines[i] for i in sorted(chosen)],
            TOKENIZER,
            self.spec.front.rate_hz,
            cache_bytes=1 << 30 if a.cache else 0,
        )
        self.loader = Loader(
            corpus,
            batch_size=a.batch_size,
            order="shuffle",
            workers=a.workers,
            pin=a.device == "cuda",
        )
        self.a, self.wait_s, self.fit_s = a, 0.0, 0.0

    def model(self) -> SpeechModel:
        torch.manual_seed(0)
        return build(self.spec, TOKENIZER.size)

    def ours(self) -> float:
        """Seconds of `fit`; its trial steps before the start are not counted."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            records = fit(
                Recognise(self.model(), TOKENIZER, spec_to(self.spec)),
                self.loader,
                None,
                out=out,
                config=self.plan,
            )
            begin = next(time.perf_counter() for record in records if record.kind == "start")
            self.wait_s += sum(record.data["wait_s"] for record in records if record.kind == "step")
            self.sync()
            spent = time.perf_counter() - begin
        self.fit_s += spent
        return spent

    def bare(self) -> float:
        """Seconds of the same by a loop written by hand."""
        model = self.model().to(self.a.device)
        optimiser = make_optimiser(self.plan, model.parameters())
        model.train()
        begin = time.perf_counter()
        for batch in self.loader.epoch(0):
            assert batch is not None
            logits = model(batch.audio.to(self.a.device))
            rows = ctc_loss(
                logits.data,
                batch.targets,
                logits.lengths,
                batch.target_lengths,
                reduction="none",
                zero_infinity=True,
            )
            optimiser.zero_grad()
            rows.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.plan.clip)
            optimiser.step()
        self.sync()
        return time.perf_counter() - begin

    def split(self) -> Counter[str]:
        """Seconds of each part of the steps of an epoch, the device waited for after each part."""
        model = self.model().to(self.a.device)
        optimiser = make_optimiser(self.plan, model.parameters())
        model.train()
        spent: Counter[str] = Counter()
        clock = time.perf_counter()

        def tick(part: str) -> None:
            nonlocal clock
            self.sync()
            spent[part] += time.perf_counter() - clock  # type: ignore[assignment]
            clock = time.perf_counter()

        for batch in self.loader.epoch(0):
            assert batch is not None
            audio = batch.audio.to(self.a.device)
            tick("data")
            features = model.front(audio)
            tick("features")
            logits = model.body(features)
            tick("network")
            loss = ctc_loss(
                logits.data,
                batch.targets,
                logits.lengths,
                batch.target_lengths,
                reduction="none",
                zero_infinity=True,
            ).mean()
            tick("loss")
            loss.backward()
            tick("backward")
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.plan.clip)
            optimiser.step()
            optimiser.zero_grad()
            tick("optimiser")
        return spent

    def sync(self) -> None:
        if self.a.device == "cuda":
            torch.cuda.synchronize()

    @contextlib.contextmanager
    def speechbrain(self) -> Iterator[Callable[[], float]]:
        """A way to run tools/peer_speechbrain.py on the same batches, in a process that waits in between."""
        corpus, spec = self.loader.corpus, spec_to(self.spec)
        items = {}
        for index in (i for batch in self.loader.plan(0) for i in batch):
            u = corpus.utterances[index]
            start = round(u.offset * corpus.rate_hz)
            file: Any = str(u.audio_filepath)
            if u.offset:
                file = {
                    "file": file,
                    "start": start,
                    "stop": start + round((u.duration or 0) * corpus.rate_hz),
                }
            items[f"{index}-{u.id}"] = {"file": file, "labels": TOKENIZER.encode(u.text or "")}
        told = {
            **{
                key: spec[key]
                for key in ("conv", "rnn", "layers", "hidden", "bidirectional", "fc", "dropout")
            },
            **{key: spec["front"][key] for key in ("bands", "n_fft", "rate_hz")},
            "symbols": TOKENIZER.size,
            "items": items,
            **{key: getattr(self.plan, key) for key in ("lr", "weight_decay", "clip")},
            "batch_size": self.a.batch_size,
            "threads": self.a.threads,
            "workers": self.a.workers,
            "device": self.a.device,
        }
        path = self.folder / "told.json"
        path.write_text(json.dumps(told), encoding="utf-8")
        script = Path(__file__).with_name("peer_speechbrain.py")
        command = [self.a.peer_python, str(script), str(path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as peer:
            assert peer.stdin and peer.stdout

            def told_by() -> dict[str, Any]:
                line = peer.stdout.readline() if peer.stdout else ""
                return (
                    json.loads(line) if line else sys.exit("the peer ended; its message is above")
                )  # type: ignore[no-any-return]

            def seconds() -> float:
                print(file=peer.stdin, flush=True)
                return float(told_by()["seconds"])

            about = told_by()
            print(f"SpeechBrain {about['version']}, torch {about['torch']}")
            if about["parameters"] != (own := sum(p.numel() for p in self.model().parameters())):
                sys.exit(
                    f"expected the same network in both; got {own} parameters here and {about['parameters']} there"
                )
            yield seconds
            peer.stdin.close()


def noise(folder: Path, count: int, rate_hz: int) -> list[Utterance]:
    """Utterances of two to six seconds of noise, ten invented letters a second."""
    draw, made = np.random.default_rng(0), []
    for index in range(count):
        seconds = float(draw.uniform(2, 6))
        path = folder / f"{index}.wav"
        soundfile.write(path, 0.1 * draw.standard_normal(round(seconds * rate_hz)), rate_hz)
        made.append(
            Utterance(
                path, seconds, "".join(draw.choice(list("etaoin shrdlu"), round(10 * seconds)))
            )
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", default="", help="manifest; none: noise")
    parser.add_argument(
        "--net",
        default="default",
        help='a preset, with changes ("default rnn=gru"), or a .toml file',
    )
    parser.add_argument("--batches", type=int, default=16)
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
    parser.add_argument("--against", nargs="*", default=[], choices=("bare", "speechbrain"))
    parser.add_argument(
        "--peer-python", default=sys.executable, help="interpreter that has SpeechBrain"
    )
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = Bench(a, Path(folder))
        seconds = bench.loader.seconds
        place = torch.cuda.get_device_name() if a.device == "cuda" else f"CPU, {a.threads} threads"
        parameters = sum(p.numel() for p in bench.model().parameters())
        print(
            f"{describe(bench.spec)}, {parameters} parameters; {place}; torch {torch.__version__}; {a.workers} workers"
        )
        print(
            f"{len(bench.loader)} batches of {a.batch_size}, {seconds:.0f} s of audio a run, {a.rounds} rounds\n"
        )
        ways: dict[str, Callable[[], float]] = {"ours": bench.ours}
        ways |= {"bare": bench.bare} if "bare" in a.against else {}
        ways |= (
            {"speechbrain": stack.enter_context(bench.speechbrain())}
            if "speechbrain" in a.against
            else {}
        )
        interleaved(ways, 1)  # compiles, allocates
        bench.wait_s = bench.fit_s = 0.0
        times = interleaved(ways, a.rounds)
        print("| way | s | audio-s per s | times ours |\n|---|---|---|---|")
        for name, spent in times.items():
            against = "" if name == "ours" else spelt(ratio(spent, times["ours"]))
            print(
                f"| {name} | {statistics.median(spent):.2f} | {seconds / statistics.median(spent):.0f} | {against} |"
            )
        print(f"\nwaiting for data: {100 * bench.wait_s / bench.fit_s:.1f} % of ours")
        parts = [bench.split() for _ in range(3)]
        middle = {part: statistics.median(p[part] for p in parts) for part in PARTS}
        print(
            "a step, ms: "
            + ", ".join(
                f"{part} {1e3 * t / len(bench.loader):.1f} ({100 * t / sum(middle.values()):.0f} %)"
                for part, t in middle.items()
            )
        )


if __name__ == "__main__":
    main()
