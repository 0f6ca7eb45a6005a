"""What each process of test_distributed.py runs: a small recogniser in double precision.

And what came of it, as JSON.

python synced_program.py SETTINGS.json          one process, alone or started by torchrun
python synced_program.py                        reads jobs from standard input and forks their
                                                processes: importing torch once is enough
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from ctcasr.batch import Batch
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.front import FrontSpec, SpecAugment
from ctcasr.recognise import Objective, Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, World, fit

RATE = 8000


class Double:
    """A loader's batches in double precision, noting which utterances came."""

    def __init__(self, loader: Loader) -> None:
        self.loader, self.came = loader, list[list[str]]()
        self.seconds, self.utterances = loader.seconds, loader.utterances

    def __len__(self) -> int:
        return len(self.loader)

    @property
    def skipped(self) -> Any:
        return self.loader.skipped

    @property
    def unread(self) -> Any:
        return self.loader.unread

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]:
        for batch in self.loader.epoch(number, start_batch):
            self.came.append(list(batch.ids) if batch is not None else [])
            yield batch and replace(batch, audio=batch.audio.with_data(batch.audio.data.double()))


class Fragile(Recognise):
    """The loss of `poison` is not finite at step 2; memory runs out for more than `most` rows."""

    most, where, poison = 10**9, "forward", ""

    def step(self, batch: Batch, step: int) -> Any:
        loss = super().step(batch, step)
        if self.poison in batch.ids and step == 2:
            bad = torch.tensor([1.0 if name != self.poison else float("nan") for name in batch.ids])
            return replace(loss, sum=loss.sum * float("nan"), rows=loss.rows * bad)
        if len(batch) > self.most:
            if self.where == "forward":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 EiB")
            loss.sum.register_hook(self._fail)
        return loss

    def _fail(self, grad: Any) -> None:
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"
        )


def main(settings: str) -> None:
    s = json.loads(Path(settings).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    world, tokenizer = World.join("cpu"), Alphabet("abc ")
    front = FrontSpec(RATE, bands=20, n_fft=256)
    spec = NetSpec(
        front, (ConvSpec(2, (3, 3), (2, 2)),), layers=2, hidden=6, dropout=0.0, prior_weight=0.3
    )
    torch.manual_seed(1)
    objective = Objective(consistency=0.2) if s.get("consistency") else None
    task = Fragile(
        build(spec, tokenizer.size).double(),
        tokenizer,
        spec_to(spec),
        SpecAugment(freq_width=0.1),
        2,
        objective,
    )
    task.most, task.where = (
        s.get("most", 10**9) if world.rank == s.get("fragile", world.rank) else 10**9,
        s.get("where", "forward"),
    )
    task.poison = s.get("poison", "")
    lines = read_manifest(s["train"]).utterances
    corpus = Corpus(lines, tokenizer, RATE, speeds=(0.9, 1.0, 1.1), cache_bytes=0)
    train = Double(
        Loader(
            corpus,
            batch_size=s["batch_size"],
            order=s["order"],
            seed=5,
            rank=world.rank,
            world=world.size,
        )
    )
    dev = Double(
        Loader(
            Corpus(read_manifest(s["dev"]).utterances, tokenizer, RATE),
            batch_size=3,
            order="sorted",
            rank=world.rank,
            world=world.size,
        )
    )
    config = TrainConfig(
        epochs=s["epochs"],
        device="cpu",
        log_every=1,
        lr=1e-2,
        save_every_s=s.get("save_every_s", 1e9),
        clip=5.0,
        accumulate=s.get("accumulate", 1),
        auto_resume=s.get("auto_resume", False),
        skips=s.get("skips", 20),
    )
    out, result = Path(s["out"]), Path(s["out"] + f".rank{world.rank}.json")
    first_start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    kinds = 0
    try:
        for record in fit(
            task, train, dev, out=out, config=config, resume=s.get("resume", False), world=world
        ):
            kinds += 1
            if record.kind == "step" and record.step == s.get("stop_at"):
                os.kill(os.getpid(), signal.SIGTERM)
            if record.kind == "step" and record.step == s.get("die_at") and first_start:
                os.kill(os.getpid(), signal.SIGKILL)
        ended = "finished"
    except KeyboardInterrupt:
        ended = "interrupted"
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"
        if s.get("raises") is None:
            raise
    weights = {
        name: value.tolist()
        for name, value in task.network.state_dict().items()
        if "running" in name or "prior" in name or value.dim() < 2
    }
    result.write_text(
        json.dumps(
            {
                "ended": ended,
                "records": kinds,
                "checked": dev.came,
                "trained": train.came,
                "weights": weights,
            }
        ),
        encoding="utf-8",
    )
    world.leave()


def serve() -> None:
    """Each line is a job: settings, a file for what is printed, each process's environment.

    Answers with their exit codes.
    """
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # imports half of torch
    for line in sys.stdin:
        job = json.loads(line)
        children = [os.fork() or run(job["settings"], job["page"], env) for env in job["processes"]]
        print(
            json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]),
            flush=True,
        )


def run(settings: str, page: str, env: dict[str, str]) -> NoReturn:
    """The life of a forked process."""
    signal.alarm(240)
    os.environ.update(env)
    file = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 1
    try:
        main(settings)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1]) if sys.argv[1:] else serve()
