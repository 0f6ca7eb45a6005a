"""`fit`: what it tells, what it survives, and that a stopped run goes on as if it had not been."""

from __future__ import annotations

import dataclasses
import errno
import io
import itertools
import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ctcasr.records
from ctcasr import checkpoint
from ctcasr.batch import Skip
from ctcasr.checkpoint import CheckpointError
from ctcasr.data import Corpus, Loader
from ctcasr.front import FrontSpec
from ctcasr.kernels.cores import CpuTimes
from ctcasr.kernels.governor import Governor
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.records import (
    CheckRecord,
    EpochRecord,
    EventRecord,
    Reason,
    Record,
    StepRecord,
    read_records,
)
from ctcasr.specs import NetSpec
from ctcasr.task import Score
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, TrainingError, fit

PLAN = TrainConfig(epochs=3, device="cpu", log_every=2, lr=1e-2, save_every_s=0.0)
KINDS = ("start", "step", "check", "epoch", "event")
TIMES = {
    "time_s",
    "step_s",
    "wait_s",
    "seconds",
    "expected_epoch_s",
    "expected_total_s",
    "expected_memory_bytes",
    "memory_bytes",
}
Parts = Callable[[], tuple[Any, Any, Any]]


def run(make: Parts, out: Path, config: TrainConfig = PLAN, resume: bool = False) -> list[Record]:
    task, train, dev = make()
    return list(fit(task, train, dev, out=out, config=config, resume=resume))


def same(a: Any, b: Any) -> bool:
    """Equal to the bit, all the way down."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return (
            isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def timeless(payload: dict[str, Any]) -> dict[str, Any]:
    """A last.pt without the time that was spent."""
    training = payload["training"]
    return {
        **payload,
        "training": {
            **training,
            "progress": {
                **training["progress"],
                "seconds": 0.0,
                "epoch_start_s": 0.0,
                "records": 0,
            },
        },
    }


def records_of(out: Path, *kinds: str) -> list[dict[str, Any]]:
    """The records of these kinds without times."""
    return [
        {key: value for key, value in r.as_json().items() if key not in TIMES}
        for r in read_records(out)
        if r.kind in kinds
    ]


@pytest.fixture(scope="module")
def whole(tones: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Filled by the first test that needs it: the run that was never stopped."""
    yield {"out": tmp_path_factory.mktemp("whole")}


def uninterrupted(whole: dict[str, Any], make: Parts) -> Path:
    if "records" not in whole:
        whole["records"] = run(make, whole["out"])
    return whole["out"]


# what a run tells -----------------------------------------------------------------------------


def test_kinds_order_and_numbers(recogniser_parts: Parts, whole: dict[str, Any]) -> None:
    out = uninterrupted(whole, recogniser_parts)
    records: list[Record] = whole["records"]
    assert [
        (r.kind, r.step) for r in records if r.kind != "event" or r.data["reason"] == "finished"
    ] == [
        ("start", 0),
        ("step", 2),
        ("step", 4),
        ("check", 4),
        ("epoch", 4),
        ("step", 6),
        ("step", 8),
        ("check", 8),
        ("epoch", 8),
        ("step", 10),
        ("step", 12),
        ("check", 12),
        ("epoch", 12),
        ("event", 12),
    ]
    start = records[0].data
    assert (
        start["epochs"] == 3
        and start["steps"] == 12
        and start["batches_per_epoch"] == 4
        and start["device"] == "cpu"
    )
    assert start["parameters"] == sum(p.numel() for p in recogniser_parts()[0].network.parameters())
    assert start["expected_epoch_s"] > 0 and start["expected_total_s"] == pytest.approx(
        3 * start["expected_epoch_s"]
    )
    steps = [r.data for r in records if r.kind == "step"]
    assert [s["epoch"] for s in steps] == [0, 0, 1, 1, 2, 2]
    assert sum(s["audio_s"] for s in steps) == pytest.approx(3 * start["train_seconds"], rel=1e-3)
    for step in steps:
        assert all(
            math.isfinite(step[key])
            for key in ("loss", "lr", "grad_norm", "blank_mass", "blank_expected", "blank_argmax")
        )
        assert step["steps"] == 2
    checks = [r.data for r in records if r.kind == "check"]
    assert (
        [c["epoch"] for c in checks] == [1, 2, 3]
        and checks[0]["best"]
        and all(len(c["samples"]) == 3 for c in checks)
    )
    means = [(steps[k]["loss"] + steps[k + 1]["loss"]) / 2 for k in (0, 2, 4)]
    assert [r.data["train_loss"] for r in records if r.kind == "epoch"] == pytest.approx(
        means, rel=1e-5
    )
    times = [r.data["time_s"] for r in records]
    assert times == sorted(times)
    assert [(r.kind, r.step, set(r.data)) for r in records] == [
        (r.kind, r.step, set(r.data)) for r in read_records(out)
    ]


def test_each_record_is_in_the_file_before_it_is_told(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = recogniser_parts()
    for count, record in enumerate(
        fit(
            task, train, dev, out=tmp_path, config=TrainConfig(epochs=1, device="cpu", log_every=1)
        ),
        start=1,
    ):
        lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == count and json.loads(lines[-1])["kind"] == record.kind


def test_the_same_seed_gives_the_same_run_to_the_bit(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    out = uninterrupted(whole, recogniser_parts)
    run(recogniser_parts, tmp_path)
    assert same(
        timeless(checkpoint.load(out / "last.pt")), timeless(checkpoint.load(tmp_path / "last.pt"))
    )
    assert records_of(out, *KINDS) == records_of(tmp_path, *KINDS)


def test_the_trial_before_the_first_step_leaves_no_trace(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task, batches = toy(), fixed([make_batch("a", "b", seed=k) for k in range(4)])
    before = [p.detach().clone() for p in task.network.parameters()]
    stream = fit(task, batches, None, out=tmp_path, config=PLAN)
    random = torch.get_rng_state()
    assert next(stream).kind == "start"
    assert all(
        torch.equal(a, b) and b.grad is None
        for a, b in zip(before, task.network.parameters(), strict=True)
    )
    assert torch.equal(random, torch.get_rng_state()) and task.after == []
    stream.close()


def test_the_best_checkpoint_is_that_of_the_best_check(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    scores = iter([3.0, 2.0, math.nan, 2.5, 2.0])
    task, kept = toy(), []

    def check(batches: Any, gather: Any) -> Any:
        kept.append([p.detach().clone() for p in task.network.parameters()])
        return toy.check(task, []).__class__((value := next(scores),), {"loss": value})

    task.check = check
    data = fixed([make_batch("a", seed=k) for k in range(2)])
    records = list(fit(task, data, data, out=tmp_path, config=TrainConfig(epochs=5, device="cpu")))
    assert [r.data["best"] for r in records if r.kind == "check"] == [
        True,
        True,
        False,
        False,
        False,
    ]
    best = checkpoint.load(tmp_path / "best.pt")["network"]
    assert all(torch.equal(a, b) for a, b in zip(kept[1], best.values(), strict=True))
    last = checkpoint.load(tmp_path / "last.pt")["network"]
    assert all(torch.equal(a, b) for a, b in zip(kept[4], last.values(), strict=True))
    assert "training" not in checkpoint.load(tmp_path / "best.pt")


def test_the_verdict_has_read_all_records_and_this_check(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a", seed=k) for k in range(2)])
    records = list(
        fit(
            toy(), data, data, out=tmp_path, config=TrainConfig(epochs=2, device="cpu", log_every=1)
        )
    )
    checks = [r for r in records if r.kind == "check"]
    slugs = [cause["slug"] for cause in checks[1].data["verdict"]["causes"]]
    assert slugs == ["start", "step", "step", "check", "epoch", "step", "step", "check"]


def test_the_learning_rate_walks_the_schedule_from_end_to_end(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a", seed=k) for k in range(5)])
    config = TrainConfig(
        epochs=4, device="cpu", log_every=1, lr=1.0, schedule="linear", warmup=0.0, accumulate=2
    )
    records = list(fit(toy(), data, None, out=tmp_path, config=config))
    rates = [r.data["lr"] for r in records if r.kind == "step"]
    assert rates == pytest.approx([1 - k / 12 for k in range(12)])  # 3 steps in each of 4 epochs
    assert records[0].data["steps"] == 12


def test_after_step_counts_up_to_the_total(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    list(
        fit(
            task,
            fixed([make_batch("a", seed=k) for k in range(3)]),
            None,
            out=tmp_path,
            config=TrainConfig(epochs=2, device="cpu"),
        )
    )
    assert task.after == [(k, 6) for k in range(1, 7)]


def test_checks_now_and_then_and_at_the_end(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    records = list(
        fit(
            toy(),
            data,
            data,
            out=tmp_path,
            config=TrainConfig(epochs=5, device="cpu", check_every=2),
        )
    )
    assert [r.data["epoch"] for r in records if r.kind == "check"] == [2, 4, 5]


def test_without_a_dev_part_the_last_network_is_the_best(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    records = list(
        fit(
            task,
            fixed([make_batch("a")]),
            None,
            out=tmp_path,
            config=TrainConfig(epochs=2, device="cpu"),
        )
    )
    assert not [r for r in records if r.kind == "check"]
    best = checkpoint.load(tmp_path / "best.pt")["network"]
    assert all(
        torch.equal(a, b)
        for a, b in zip(task.network.state_dict().values(), best.values(), strict=True)
    )


def test_the_average_of_the_weights_is_checked_and_kept_and_training_does_not_feel_it(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    plain = uninterrupted(whole, recogniser_parts)
    run(recogniser_parts, tmp_path, replace(PLAN, average=0.9))
    last, plain_last = (checkpoint.load(out / "last.pt") for out in (tmp_path, plain))
    assert same(last["network"], plain_last["network"])
    averaged = last["training"]["average"]
    assert averaged["steps"] == last["training"]["progress"]["step"]
    best = checkpoint.load(tmp_path / "best.pt")["network"]
    assert not same(best, checkpoint.load(plain / "best.pt")["network"])
    lines = [check["loss"] for check in records_of(tmp_path, "check")]
    assert lines != [check["loss"] for check in records_of(plain, "check")]


def test_an_average_goes_on_where_a_run_was_stopped(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    config = replace(PLAN, average=0.9)
    run(recogniser_parts, tmp_path / "whole", config)
    records = fit(*recogniser_parts(), out=tmp_path / "parts", config=config)
    with pytest.raises(KeyboardInterrupt):
        for record in records:
            if record.kind == "epoch":
                signal.raise_signal(signal.SIGINT)
    run(recogniser_parts, tmp_path / "parts", config, resume=True)
    equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_early_stop(toy: Any, fixed: Any, make_batch: Any, tmp_path: Path) -> None:
    scores = iter([5.0, 4.0, 4.5, 4.0, 3.0, 9.0, 9.0, 9.0])
    task = toy()
    task.check = lambda batches, gather: toy.check(task, []).__class__(
        (value := next(scores),), {"loss": value}
    )
    data = fixed([make_batch("a")])
    records = list(
        fit(task, data, data, out=tmp_path, config=TrainConfig(epochs=50, device="cpu", patience=3))
    )
    assert sum(r.kind == "check" for r in records) == 8
    events = [record.reason for record in records if isinstance(record, EventRecord)]
    assert events == [Reason.EARLY_STOP, Reason.FINISHED]


def test_bf16_is_for_the_steps_alone_and_trains_as_float32_does(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    losses: dict[bool, list[float]] = {}
    for bf16 in (False, True):
        task, train, dev = recogniser_parts()
        conv = next(m for m in task.network.modules() if isinstance(m, torch.nn.Conv2d))
        trained: set[str] = set()
        checked: set[str] = set()

        def note(*_: Any, trained: set[str] = trained, checked: set[str] = checked) -> None:
            (trained if torch.is_grad_enabled() else checked).add(
                torch.get_float32_matmul_precision()
            )

        conv.register_forward_hook(note)
        records = list(
            fit(
                task,
                train,
                dev,
                out=tmp_path / str(bf16),
                config=dataclasses.replace(PLAN, bf16=bf16),
            )
        )
        assert trained == {"medium" if bf16 else "highest"} and checked == {"highest"}
        assert {p.dtype for p in task.parameters()} == {torch.float32}
        losses[bf16] = [r.data["train_loss"] for r in records if r.kind == "epoch"]
    assert losses[True] == pytest.approx(losses[False], rel=0.05)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_bf16_on_cuda_is_autocast(recogniser_parts: Parts, tmp_path: Path) -> None:
    task, train, dev = recogniser_parts()
    seen: set[torch.dtype] = set()
    conv = next(m for m in task.network.modules() if isinstance(m, torch.nn.Conv2d))
    conv.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    records = list(
        fit(
            task,
            train,
            dev,
            out=tmp_path,
            config=dataclasses.replace(PLAN, bf16=True, device="cuda"),
        )
    )
    assert seen == {torch.bfloat16, torch.float32}  # steps, and checks
    assert {p.dtype for p in task.parameters()} == {torch.float32}
    assert all(math.isfinite(r.data["train_loss"]) for r in records if r.kind == "epoch")


def test_a_budget_decides_the_epochs(toy: Any, fixed: Any, make_batch: Any, tmp_path: Path) -> None:
    data = fixed([make_batch("a", seed=k) for k in range(3)])
    records = list(
        fit(
            toy(),
            data,
            None,
            out=tmp_path,
            config=TrainConfig(epochs=10**9, device="cpu", budget="0.3s", save_every_s=1e9),
        )
    )
    ends = [r for r in records if r.kind == "epoch"]
    assert 1 <= len(ends) < 10**4 and records[-1].data["reason"] == "finished"
    tiny = list(
        fit(
            toy(),
            data,
            None,
            out=tmp_path,
            config=TrainConfig(epochs=10**9, device="cpu", budget="0.000001s", overwrite=True),
        )
    )
    assert sum(r.kind == "epoch" for r in tiny) == 1


# what a run survives --------------------------------------------------------------------------


@pytest.fixture(params=["host", "device"])
def decides(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who decides whether a step is taken: the host, or the optimiser where the gradient is."""
    if request.param == "device":

        def fused(config: TrainConfig, parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.AdamW(list(parameters), lr=config.lr, fused=True)

        monkeypatch.setattr("ctcasr.train.trainer.make_optimiser", fused)
        monkeypatch.setattr("ctcasr.train.stepper.Stepper._device_decides", True)
    return str(request.param)


def test_bad_rows_are_left_out_and_bad_steps_skipped_and_named_once(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path, decides: str
) -> None:
    unread = make_batch("a", name="r")
    unread = type(unread)(**{**vars(unread), "skipped": (Skip("m.jsonl:7", "it is empty"),)})
    data = fixed(
        [
            make_batch("a", name="p"),
            make_batch("a", "nan loss", name="n"),
            make_batch("b", "left out", name="l"),
            None,
            unread,
        ]
    )
    task = toy()
    records = list(
        fit(
            task,
            data,
            None,
            out=tmp_path,
            config=TrainConfig(epochs=2, device="cpu", log_every=1, skips=3),
        )
    )
    events = [(r.data["reason"], tuple(r.data["ids"])) for r in records if r.kind == "event"]
    assert sorted(events) == sorted(
        [
            ("unreadable", ("m.jsonl:7: it is empty",)),
            ("infeasible", ("l1",)),
            ("loss-not-finite", ("n1",)),
            ("loss-not-finite", ("n1",)),
            ("finished", ()),
        ]
    )
    assert [r.step for r in records if r.kind == "step"] == [1, 2, 3, 4, 5, 6]
    assert all(bool(torch.isfinite(p).all()) for p in task.network.parameters())


@pytest.mark.parametrize("text", ["nan loss", "inf gradient", "left out"])
def test_many_bad_steps_in_a_row_end_training_with_an_error(
    text: str, toy: Any, fixed: Any, make_batch: Any, tmp_path: Path, decides: str
) -> None:
    data = fixed([make_batch("a"), *[make_batch(text, name="bad") for _ in range(9)]])
    seen = []
    with pytest.raises(TrainingError, match=r"4 steps in a row could not be used") as caught:
        for record in fit(
            toy(), data, None, out=tmp_path, config=TrainConfig(epochs=9, device="cpu", skips=4)
        ):
            seen.append(record)
    assert sum(getattr(r, "skipped_step", False) for r in seen) == 4
    assert text == "left out" or "bad0" in str(caught.value)
    assert str(caught.value).endswith("The likely cause: start (seen); the cure: none")


def test_good_steps_between_bad_ones_reset_the_count(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path, decides: str
) -> None:
    data = fixed([make_batch("a"), make_batch("nan loss"), make_batch("nan loss")])
    records = list(
        fit(toy(), data, None, out=tmp_path, config=TrainConfig(epochs=4, device="cpu", skips=3))
    )
    assert (
        records[-1].data["reason"] == "finished"
        and sum(getattr(r, "skipped_step", False) for r in records) == 8
    )


def test_a_frozen_network_is_a_clear_error(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no trained parameter received a gradient"):
        list(fit(toy(frozen=True), fixed([make_batch("a")]), None, out=tmp_path, config=PLAN))


def test_a_schedule_that_does_not_exist_is_an_error_before_the_first_step(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    with pytest.raises(ValueError, match="schedule: expected"):
        list(
            fit(
                task,
                fixed([make_batch("a")] * 20),
                None,
                out=tmp_path,
                config=TrainConfig(schedule="onecicle", device="cpu"),
            )
        )
    assert task.after == []


def test_a_full_disk_is_a_clear_error_and_the_old_checkpoint_stays(
    recogniser_parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, train, dev = recogniser_parts()
    stream = fit(task, train, dev, out=tmp_path, config=PLAN)
    for record in stream:
        if record.kind == "epoch":
            break
    before = (tmp_path / "last.pt").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match=r"could not write the checkpoint .*untouched.*resume"):
            list(stream)
    assert (tmp_path / "last.pt").read_bytes() == before
    records = run(recogniser_parts, tmp_path, resume=True)
    assert (
        records[-1].data["reason"] == "finished"
        and checkpoint.load(tmp_path / "last.pt")["training"]["progress"]["epoch"] == 3
    )


@pytest.mark.parametrize("moment", ["the file is written", "the file is closed"])
def test_the_lock_is_given_back_whatever_the_disk_refuses(
    moment: str, toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    class FullDisk(io.StringIO):
        """A file that takes nothing, or cannot be closed."""

        def write(self, text: str) -> int:
            if moment == "the file is written":
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(*_: Any, **__: Any) -> FullDisk:
        return FullDisk()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctcasr.records, "open", opened, raising=False)
        with pytest.raises(OSError, match="No space left"):
            list(fit(toy(), fixed([make_batch("a")]), None, out=tmp_path, config=PLAN))
    assert not (tmp_path / "run.lock").exists()


def test_memory_that_runs_out_is_said_once_and_counted(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    step = task.step

    def stepped(batch: Any, number: int) -> Any:
        if len(batch) > 1 or batch.ids == ("huge0",):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(batch, number)

    task.step = stepped
    texts = {"p": ("a", "b"), "q": ("a",), "r": ("c", "d", "e"), "huge": ("a",)}
    data = fixed([make_batch(*rows, name=name) for name, rows in texts.items()])
    records = list(
        fit(task, data, None, out=tmp_path, config=TrainConfig(epochs=2, device="cpu", log_every=1))
    )
    events = [
        (r.data["reason"], r.data["ids"])
        for r in records
        if isinstance(r, EventRecord) and not r.skipped_step
    ]
    assert events == [
        ("out-of-memory", []),
        ("too-large", ["huge0: does not fit into memory, even alone"]),
        ("finished", []),
    ]
    assert [r.data["halved"] for r in records if r.kind == "step"] == [1, 0, 2] * 2
    assert checkpoint.load(tmp_path / "last.pt")["training"]["progress"]["halved"] == 8


@pytest.mark.parametrize(
    "workers",
    [0, pytest.param(1, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"))],
)
@pytest.mark.parametrize("lost", [1, 11])
def test_files_that_vanish_in_a_later_epoch_are_named_within_a_budget(
    lost: int, workers: int, tones: Any, tmp_path: Path
) -> None:
    files = [shutil.copy(u.audio_filepath, tmp_path) for u in tones]
    lines = [
        dataclasses.replace(u, audio_filepath=Path(file))
        for u, file in zip(tones, files, strict=True)
    ]
    torch.manual_seed(1)
    tokenizer = Alphabet("abc ")
    spec = NetSpec(FrontSpec(8000, bands=20, n_fft=256), layers=1, hidden=4)
    corpus = Corpus(lines, tokenizer, 8000, cache_bytes=0)
    loader = Loader(corpus, batch_size=4, workers=workers, start_method="fork" if workers else None)
    task, seen = Recognise(build(spec, tokenizer.size), tokenizer, spec_to(spec)), list[Record]()
    config = TrainConfig(epochs=4, device="cpu", unreadable=0.5)

    def train() -> None:
        for record in fit(task, loader, None, out=tmp_path / "run", config=config):
            seen.append(record)
            if record.kind == "epoch" and record.data["epoch"] == 2:
                for file in files[:lost]:
                    Path(file).unlink()

    if lost == 1:
        train()
        (told,) = [
            r.data["ids"] for r in seen if r.kind == "event" and r.data["reason"] == "unreadable"
        ]
        assert len(told) == 1 and "tone00.wav" in told[0] and seen[-1].data["reason"] == "finished"
    else:
        with pytest.raises(
            TrainingError,
            match=r"11 of 16 utterances could not be read in epoch 2, more than --unreadable 0\.5 "
            r".*tones",
        ):
            train()
    loader.close()


def test_a_recipe_for_one_process_is_not_run_by_several(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("RANK", "1"),
        ("WORLD_SIZE", "2"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", "1"),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="this recipe trains in one"):
        fit(toy(), fixed([make_batch("a")]), None, out=tmp_path, config=PLAN)


# stopped and resumed --------------------------------------------------------------------------


def equal_runs(one: Path, two: Path, same_windows: bool = True) -> None:
    assert same(
        timeless(checkpoint.load(one / "last.pt")), timeless(checkpoint.load(two / "last.pt"))
    )
    assert same(checkpoint.load(one / "best.pt"), checkpoint.load(two / "best.pt"))
    for a, b in zip(records_of(one, "check"), records_of(two, "check"), strict=True):
        # The verdict reads step records too, which sum up as many steps as the settings say.
        assert {key: (a[key], b[key]) for key in a if a[key] != b[key] and key != "verdict"} == {}
    if same_windows:
        for kind in ("step", "check", "epoch"):
            assert records_of(one, kind) == records_of(two, kind)


@pytest.mark.parametrize("at", [1, 3, 4, 5, 8, 11])
def test_an_interrupted_run_goes_on_to_the_bit(
    at: int, recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one = uninterrupted(whole, recogniser_parts)
    task, train, dev = recogniser_parts()
    handler = signal.getsignal(signal.SIGINT)
    config = TrainConfig(**{**vars(PLAN), "log_every": 1, "save_every_s": 1e9}) if at % 4 else PLAN
    seen: list[Record] = []
    with pytest.raises(KeyboardInterrupt):
        for record in fit(task, train, dev, out=tmp_path, config=config):
            seen.append(record)
            if record.kind == ("step" if at % 4 else "epoch") and record.step == at:
                signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (
        seen[-1].data["reason"] == "interrupted"
        and "SIGINT" in seen[-1].data["message"]
        and "--resume" in seen[-1].data["message"]
    )
    torch.manual_seed(99)  # a new session begins with other generators
    more = run(recogniser_parts, tmp_path, resume=True)
    assert [
        r.data.get("reason") for r in more if r.kind == "event" and r.data["reason"] != "infeasible"
    ] == ["resumed", "finished"]
    equal_runs(one, tmp_path, same_windows=False)


@pytest.mark.parametrize("count", [1, 2, 4, 6, 9])
def test_a_run_that_vanished_goes_on_to_the_bit(
    count: int, recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    """The generator is dropped, as if the process had been killed there, with the last save."""
    one = uninterrupted(whole, recogniser_parts)
    task, train, dev = recogniser_parts()
    stream = fit(task, train, dev, out=tmp_path, config=PLAN)
    for _ in range(count):
        next(stream)
    stream.close()
    if not (tmp_path / "last.pt").exists():
        with pytest.raises(CheckpointError, match=r"last\.pt"):
            run(recogniser_parts, tmp_path, resume=True)
        return
    run(recogniser_parts, tmp_path, resume=True)
    equal_runs(one, tmp_path)


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_at_the_start_of_an_epoch_even_the_records_are_equal(
    epoch: int, recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one = uninterrupted(whole, recogniser_parts)
    task, train, dev = recogniser_parts()
    stream = fit(
        task, train, dev, out=tmp_path, config=TrainConfig(**{**vars(PLAN), "save_every_s": 1e9})
    )
    for (
        record
    ) in stream:  # last.pt is written at the end of an epoch; then a few steps more are lost
        if record.kind == "step" and record.step == 4 * epoch + 2:
            break
    stream.close()
    run(recogniser_parts, tmp_path, resume=True)
    equal_runs(one, tmp_path)


@pytest.mark.parametrize("stop_at", [1, 4, 7, 11])
def test_stopped_anywhere_records_evidence_and_verdicts_are_those_of_a_whole_run(
    stop_at: int, recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one = uninterrupted(whole, recogniser_parts)
    task, train, dev = recogniser_parts()

    def stop(step: int, total: int) -> None:
        if step == stop_at:
            signal.raise_signal(signal.SIGTERM)

    task.after_step = stop
    config = dataclasses.replace(PLAN, save_every_s=1e9)
    with pytest.raises(KeyboardInterrupt):
        list(fit(task, train, dev, out=tmp_path, config=config))
    run(recogniser_parts, tmp_path, resume=True)
    equal_runs(one, tmp_path)
    verdicts = [record["verdict"] for record in records_of(tmp_path, "check")]
    assert verdicts == [record["verdict"] for record in records_of(one, "check")]
    assert all(verdicts)


def test_a_run_may_be_stopped_again_and_again(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one = uninterrupted(whole, recogniser_parts)
    config, resume = TrainConfig(**{**vars(PLAN), "log_every": 1}), False
    for _ in range(40):
        task, train, dev = recogniser_parts()
        stream = fit(task, train, dev, out=tmp_path, config=config, resume=resume)
        kinds = []
        for record in stream:
            kinds.append(record.data.get("reason", record.kind))
            if kinds.count("step") == 2:
                break
        stream.close()
        resume = (tmp_path / "last.pt").exists()
        if kinds[-1] == "finished":
            break
    assert kinds[-1] == "finished"
    equal_runs(one, tmp_path, same_windows=False)


def test_who_is_asked_to_stop_during_the_last_check_stops_with_a_run_that_is_whole(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    plain_check = task.check
    checks = itertools.count(1)

    def check(batches: Any, gather: Any) -> Score:
        if next(checks) == PLAN.epochs:
            signal.raise_signal(signal.SIGTERM)
        return plain_check(batches, gather)

    task.check = check
    data = fixed([make_batch("a")])
    records: list[Record] = []
    with pytest.raises(KeyboardInterrupt):
        for record in fit(task, data, data, out=tmp_path, config=PLAN):
            records.append(record)
    assert reasons(records) == [Reason.FINISHED]
    more = list(fit(toy(), data, data, out=tmp_path, config=PLAN, resume=True))
    assert reasons(more) == [Reason.RESUMED, Reason.FINISHED]


def test_resuming_a_finished_run_changes_nothing(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one = uninterrupted(whole, recogniser_parts)
    run(recogniser_parts, tmp_path)
    more = run(recogniser_parts, tmp_path, resume=True)
    assert [r.kind for r in more] == ["start", "event", "event"] and more[-1].data[
        "reason"
    ] == "finished"
    equal_runs(one, tmp_path)


def test_auto_resume_begins_where_there_is_nothing_and_goes_on_where_there_is(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    one, config = (
        uninterrupted(whole, recogniser_parts),
        TrainConfig(**{**vars(PLAN), "auto_resume": True}),
    )
    task, train, dev = recogniser_parts()
    stream = fit(task, train, dev, out=tmp_path, config=config)
    assert [next(stream).kind for _ in range(4)] == ["start", "step", "step", "check"]
    stream.close()
    more = run(recogniser_parts, tmp_path, config)
    assert "resumed" in [r.data.get("reason") for r in more]
    equal_runs(one, tmp_path, same_windows=False)


def test_resuming_nothing_and_resuming_from_a_best_checkpoint_are_clear_errors(
    recogniser_parts: Parts, whole: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(
        CheckpointError, match=r"expected a checkpoint at .*last\.pt; there is no such file"
    ):
        run(recogniser_parts, tmp_path, resume=True)
    one = uninterrupted(whole, recogniser_parts)
    (tmp_path / "last.pt").write_bytes((one / "best.pt").read_bytes())
    with pytest.raises(CheckpointError, match="expected the state of a training run"):
        run(recogniser_parts, tmp_path, resume=True)


def test_in_another_thread_signals_are_left_alone(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    handler, found = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        for _ in fit(
            toy(),
            fixed([make_batch("a")]),
            None,
            out=tmp_path,
            config=TrainConfig(epochs=1, device="cpu"),
        ):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert set(found) == {handler} and len(found) >= 3


# resumed with other settings ------------------------------------------------------------------


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, EventRecord)]


def test_more_epochs_than_before_are_trained(recogniser_parts: Parts, tmp_path: Path) -> None:
    run(recogniser_parts, tmp_path, dataclasses.replace(PLAN, epochs=2))
    more = run(recogniser_parts, tmp_path, dataclasses.replace(PLAN, epochs=3), resume=True)
    assert [r.epoch for r in more if isinstance(r, EpochRecord)] == [3]
    assert Reason.PLAN_CHANGED in reasons(more)
    rates = [r.lr for r in read_records(tmp_path) if isinstance(r, StepRecord) and r.step > 8]
    assert rates and min(rate for rate in rates if rate) > 0
    progress = checkpoint.load(tmp_path / "last.pt")["training"]["progress"]
    assert progress["epoch"] == progress["epochs"] == 3 and progress["done"] == pytest.approx(1.0)


def test_fewer_epochs_than_are_done_end_the_run(recogniser_parts: Parts, tmp_path: Path) -> None:
    run(recogniser_parts, tmp_path)
    more = run(recogniser_parts, tmp_path, dataclasses.replace(PLAN, epochs=2), resume=True)
    assert reasons(more) == [Reason.RESUMED, Reason.PLAN_CHANGED, Reason.FINISHED]


def test_a_budget_on_resume_counts_what_was_trained_before(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a", seed=k) for k in range(3)])
    list(fit(toy(), data, data, out=tmp_path, config=PLAN))
    spent = dataclasses.replace(PLAN, budget="0.0000001s")
    more = list(fit(toy(), data, data, out=tmp_path, config=spent, resume=True))
    assert not [r for r in more if isinstance(r, EpochRecord)]


@pytest.mark.parametrize("batch_size", [2, 5, 12])
def test_other_batches_begin_the_epoch_anew_with_a_word(
    batch_size: int, recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = recogniser_parts()
    stream = fit(task, train, dev, out=tmp_path, config=dataclasses.replace(PLAN, log_every=1))
    for record in stream:
        if isinstance(record, StepRecord) and record.step == 6:
            break
    next(stream)
    stream.close()
    task, train, dev = recogniser_parts()
    train = Loader(train.corpus, batch_size=batch_size, order="sortagrad", seed=5)
    seen: list[str] = []
    step = task.step

    def noting(batch: Any, number: int) -> Any:
        if number >= 6:
            seen.extend(batch.ids)
        return step(batch, number)

    task.step = noting
    more = list(fit(task, train, dev, out=tmp_path, config=PLAN, resume=True))
    assert Reason.ORDER_CHANGED in reasons(more)
    # The epoch that was going on and the last one: every utterance is learnt from in both.
    assert sorted(seen) == sorted([u.id for u in train.corpus.utterances] * 2)


def scoring(value: float) -> Callable[..., Score]:
    """A check that finds this score."""
    return lambda batches, gather: Score((value,), {"loss": value})


def other_dev(task: Any, dev: Loader) -> Loader:
    """The dev part without its last line."""
    utterances = dev.corpus.utterances[:-1]
    return Loader(Corpus(utterances, task.tokenizer, dev.corpus.rate_hz), batch_size=4)


def behind_a_good_epoch(recogniser_parts: Parts, out: Path) -> tuple[Any, Any, Any]:
    """Parts that go on with a run of one epoch, and score worse than it did."""
    task, train, dev = recogniser_parts()
    task.check = scoring(0.1)
    list(fit(task, train, dev, out=out, config=replace(PLAN, epochs=1)))
    task, train, dev = recogniser_parts()
    task.check = scoring(0.9)
    return task, train, dev


def test_with_another_dev_part_the_next_check_is_the_best_so_far(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = behind_a_good_epoch(recogniser_parts, tmp_path)
    config = replace(PLAN, epochs=2, patience=1)
    more = list(fit(task, train, other_dev(task, dev), out=tmp_path, config=config, resume=True))
    assert Reason.DEV_CHANGED in reasons(more)
    assert [record.best for record in more if isinstance(record, CheckRecord)] == [True]
    best = checkpoint.load(tmp_path / "best.pt")["network"]
    assert same(best, dict(task.network.state_dict()))


@pytest.mark.parametrize("how", ["the same dev part", "a checkpoint that knows of none"])
def test_the_best_check_stays_the_best_where_the_dev_part_is_not_known_to_be_another(
    how: str, recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = behind_a_good_epoch(recogniser_parts, tmp_path)
    if how == "a checkpoint that knows of none":
        payload = checkpoint.load(tmp_path / "last.pt")
        del payload["training"]["dev"]
        checkpoint.save(tmp_path / "last.pt", payload)
        dev = other_dev(task, dev)
    more = list(fit(task, train, dev, out=tmp_path, config=replace(PLAN, epochs=2), resume=True))
    assert Reason.DEV_CHANGED not in reasons(more)
    assert [record.best for record in more if isinstance(record, CheckRecord)] == [False]


def test_the_best_of_a_finished_run_stays_whatever_dev_part_it_is_resumed_with(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    run(recogniser_parts, tmp_path)
    before = (tmp_path / "best.pt").read_bytes()
    task, train, dev = recogniser_parts()
    dev = other_dev(task, dev)
    more = list(fit(task, train, dev, out=tmp_path, config=PLAN, resume=True))
    assert reasons(more) == [Reason.RESUMED, Reason.FINISHED]
    assert (tmp_path / "best.pt").read_bytes() == before


def test_the_same_batches_by_another_loader_go_on_where_they_were(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = recogniser_parts()
    stream = fit(task, train, dev, out=tmp_path, config=PLAN)
    next(stream)
    next(stream)
    next(stream)
    stream.close()
    task, train, dev = recogniser_parts()
    train = Loader(train.corpus, batch_size=3, order="sortagrad", seed=5)
    more = list(fit(task, train, dev, out=tmp_path, config=PLAN, resume=True))
    assert reasons(more)[0] == Reason.RESUMED and Reason.ORDER_CHANGED not in reasons(more)


def test_another_tokenizer_of_the_same_size_is_refused(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    run(recogniser_parts, tmp_path)
    task, train, dev = recogniser_parts()
    task.tokenizer = Alphabet("abd ")
    with pytest.raises(CheckpointError, match=r"of another network: tokenizer\.symbols.*--init"):
        list(fit(task, train, dev, out=tmp_path, config=PLAN, resume=True))


# best.pt --------------------------------------------------------------------------------------


def test_a_budget_never_ends_without_a_check_and_a_best_checkpoint(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    for number in range(5):
        config = TrainConfig(
            device="cpu", budget=f"{0.0001 * 10**number}s", check_every=7, save_every_s=1e9
        )
        records = list(fit(toy(), data, data, out=tmp_path / str(number), config=config))
        last = [r for r in records if isinstance(r, CheckRecord | EpochRecord)][-2:]
        assert [r.kind for r in last] == ["check", "epoch"]
        assert (tmp_path / str(number) / "best.pt").is_file()


@pytest.mark.parametrize("key", [(math.nan,), (math.inf, math.inf)])
def test_where_no_check_has_a_score_the_last_network_is_the_best(
    key: tuple[float, ...], toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    task = toy()
    task.check = lambda batches, gather: Score(key, {"loss": key[-1]})
    data = fixed([make_batch("a")])
    records = list(fit(task, data, data, out=tmp_path, config=PLAN))
    assert reasons(records) == [Reason.NO_BEST, Reason.FINISHED]
    best = checkpoint.load(tmp_path / "best.pt")["network"]
    assert same(best, dict(task.network.state_dict()))


def test_a_dev_part_that_cannot_be_read_selects_no_network(
    recogniser_parts: Parts, tmp_path: Path
) -> None:
    task, train, dev = recogniser_parts()
    gone = tuple(
        replace(utterance, audio_filepath=tmp_path / "gone.wav")
        for utterance in dev.corpus.utterances
    )
    dev = Loader(Corpus(gone, task.tokenizer, dev.corpus.rate_hz), batch_size=4, order="sorted")
    records = list(fit(task, train, dev, out=tmp_path / "run", config=replace(PLAN, patience=1)))
    checks = [record for record in records if isinstance(record, CheckRecord)]
    assert [check.best for check in checks] == [False, False, False]
    assert reasons(records)[-2:] == [Reason.NO_BEST, Reason.FINISHED]
    best = checkpoint.load(tmp_path / "run" / "best.pt")["network"]
    assert same(best, dict(task.network.state_dict()))


def test_no_epoch_is_an_error(toy: Any, fixed: Any, make_batch: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epochs: expected at least 1; got 0"):
        fit(toy(), fixed([make_batch("a")]), None, out=tmp_path, config=TrainConfig(epochs=0))
    with pytest.raises(ValueError, match="accumulate: expected at least 1; got 0"):
        fit(toy(), fixed([make_batch("a")]), None, out=tmp_path, config=TrainConfig(accumulate=0))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("check_every", 0, "check_every: expected at least 1; got 0"),
        ("log_every", -1, "log_every: expected at least 1; got -1"),
        ("lr", math.nan, "lr: expected a rate of 0 or more; got nan"),
        ("lr", -1.0, "lr: expected a rate of 0 or more; got -1.0"),
    ],
)
def test_numbers_that_no_training_can_have_are_refused_by_name(
    name: str, value: float, sentence: str, toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    config = replace(TrainConfig(), **{name: value})
    with pytest.raises(ValueError, match=sentence):
        fit(toy(), fixed([make_batch("a")]), None, out=tmp_path, config=config)


def test_threads_that_change_are_told(recogniser_parts: Parts, tmp_path: Path) -> None:
    applied: list[int] = []
    looks = (CpuTimes(2.0 * look, 2.0 * look * 9, 2.0 * look) for look in itertools.count())
    governor = Governor(2, applied.append, looks.__next__)
    task, train, dev = recogniser_parts()
    list(fit(task, train, dev, out=tmp_path / "run", config=PLAN, governor=governor))
    records = read_records(tmp_path / "run" / "records.jsonl")
    told = [
        record
        for record in records
        if isinstance(record, EventRecord) and record.reason == Reason.THREADS_CHANGED
    ]
    assert applied == [1] and len(told) == 1 and "1 thread" in told[0].message
