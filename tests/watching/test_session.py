"""A watch over a loop that knows nothing of it: tells what is wrong and changes nothing."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctcasr.ctc import ctc_loss
from ctcasr.records import CheckRecord, EventRecord, Reason, StepRecord, read_records
from ctcasr.watching.session import Watch, watch

GLYPHS = (torch.rand(6, 8, 6, generator=torch.Generator().manual_seed(5)) > 0.5).float()
CELL = 8  # columns that a digit takes


def strings_of_digits(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures [B, 8, W] of digit strings, their labels, and both lengths: a toy of reading."""
    sizes = torch.randint(2, 4, (count,), generator=draw)
    labels = torch.randint(6, (int(sizes.sum()),), generator=draw)
    pictures = 0.2 * torch.randn(count, 8, 3 * CELL, generator=draw)
    for row, digits in enumerate(labels.split(sizes.tolist())):
        for place, digit in enumerate(digits.tolist()):
            pictures[row, :, CELL * place + 1 : CELL * place + 7] += GLYPHS[digit]
    return pictures, labels + 1, sizes * CELL, sizes


class Reader(nn.Module):
    """LSTM over columns; log-probabilities [T, B, 7]."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 24, bidirectional=True)
        self.head = nn.Linear(48, 7)

    def forward(self, pictures: Tensor) -> Tensor:
        states, _ = self.rnn(pictures.permute(2, 0, 1))
        return self.head(states).log_softmax(2)


@dataclass
class Loop:
    """Somebody's training loop, with what may be wrong in it."""

    steps: int = 60
    lr: float = 1e-2
    trained: Callable[[Reader], list[nn.Parameter]] = lambda model: list(model.parameters())
    scores: Callable[[Tensor], Tensor] = lambda scores: scores
    input_lengths: Callable[[Tensor], Tensor] = lambda lengths: lengths
    clip: float = 10.0
    zero_infinity: bool = False
    dev_every: int = 0

    def run(self, session: Any = None) -> Reader:
        torch.manual_seed(0)
        model = Reader()
        optimiser = torch.optim.Adam(self.trained(model), lr=self.lr)
        ctc = nn.CTCLoss(zero_infinity=self.zero_infinity)
        draw = torch.Generator().manual_seed(1)
        with session or nullcontext():
            for step in range(self.steps):
                pictures, labels, frames, sizes = strings_of_digits(8, draw)
                scores = self.scores(model(pictures))
                loss = ctc(scores, labels, self.input_lengths(frames), sizes)
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), self.clip)
                optimiser.step()
                if self.dev_every and (step + 1) % self.dev_every == 0:
                    with torch.no_grad():
                        pictures, labels, frames, sizes = strings_of_digits(16, draw)
                        ctc(model(pictures), labels, frames, sizes)
        return model


PLANTED: dict[str, tuple[str, Loop]] = {
    "the head is not handed to the optimiser": (
        "frozen-parameters",
        Loop(trained=lambda model: list(model.rnn.parameters())),
    ),
    "a rate of zero": ("learning-rate-zero", Loop(lr=0.0)),
    "a rate far too low": ("learning-rate-too-low", Loop(lr=1e-6)),
    "a rate far too high": ("learning-rate-too-high", Loop(lr=10.0)),
    "probabilities where log-probabilities belong": ("softmax-as-logits", Loop(scores=torch.exp)),
    "too few frames for the texts": (
        "stride-too-large",
        Loop(input_lengths=lambda frames: frames // CELL - 1),
    ),
    "too few frames for the texts, which nobody is told": (
        "zero-infinity-hides-rows",
        Loop(input_lengths=lambda frames: frames // CELL - 1, zero_infinity=True),
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_cause_is_named_first(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctcasr.watching.care.GENEROUS_S", math.inf)  # however busy the machine is
    slug, loop = PLANTED[planted]
    session = watch(say=None)
    loop.run(session)
    assert session.verdict is not None
    assert [cause.slug for cause in session.verdict.causes][:1] == [slug]


def test_a_healthy_loop_alarms_nobody() -> None:
    said: list[str] = []
    session = watch(say=said.append)
    Loop(steps=150).run(session)
    assert session.verdict is not None
    assert session.verdict.causes == ()
    assert not [line for line in said if "trouble" in line]


def test_weights_are_the_same_to_the_bit() -> None:
    watched = Loop(dev_every=15).run(watch(say=None))
    free = Loop(dev_every=15).run()
    for name, tensor in free.state_dict().items():
        assert torch.equal(watched.state_dict()[name], tensor), name


def test_a_run_folder_is_left_as_by_our_own_trainer(tmp_path: Path) -> None:
    said: list[str] = []
    Loop(dev_every=15).run(watch(out=tmp_path, say=said.append))
    assert said[-1] == f"what was seen: {tmp_path / 'doctor.html'}"
    records = read_records(tmp_path)
    assert records[0].kind == "start"
    assert records[-1].data["reason"] == Reason.FINISHED
    steps = [record for record in records if isinstance(record, StepRecord)]
    checks = [record for record in records if isinstance(record, CheckRecord)]
    assert sum(record.steps or 0 for record in steps) == 60
    assert [check.step for check in checks] == [15, 30, 45, 60]
    assert [check.metrics["cer"] for check in checks if check.best][-1] == min(
        check.metrics["cer"] for check in checks
    )
    times_s = [record.time_s for record in records]
    assert times_s == sorted(times_s)
    assert all(check.verdict is not None for check in checks)
    for line in (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)


def test_without_a_dev_part_training_rows_are_looked_at_and_called_so() -> None:
    session = watch(say=None)
    Loop().run(session)
    checks = [record for record in session.file.history if isinstance(record, CheckRecord)]
    assert checks and all(check.metrics["on_training_rows"] == 1.0 for check in checks)


def events_of(session: Watch) -> list[EventRecord]:
    return [record for record in session.file.history if isinstance(record, EventRecord)]


def checks_of(session: Watch) -> list[CheckRecord]:
    return [record for record in session.file.history if isinstance(record, CheckRecord)]


def test_the_last_check_tells_scores_of_the_last_steps_and_stands_where_they_were_scored() -> None:
    session = Watch(say=None, share=0.0)  # past the free looks, nothing is looked at
    Loop(steps=200).run(session)
    last = checks_of(session)[-1]
    assert 190 <= last.step <= 200
    training = session._calls.training
    assert training is not None and training.scored == (last.step, last.time_s)
    losses = [check.loss for check in checks_of(session)]
    assert losses[-1] < losses[-2]
    assert session.verdict is not None and session.verdict.step == 200


def test_a_dev_part_that_there_was_no_time_for_is_checked_at_the_end() -> None:
    session = Watch(say=None, share=0.0)
    Loop(steps=95, dev_every=15).run(session)
    assert [check.step for check in checks_of(session)] == [15, 30, 45, 60, 75, 90]
    assert session.verdict is not None and session.verdict.step == 95


def test_a_loop_that_scores_at_each_step_does_not_use_up_the_free_checks_at_once() -> None:
    session = Watch(say=None, share=0.0)
    Loop(steps=45, dev_every=1).run(session)
    steps = [check.step for check in checks_of(session)]
    assert min(later - earlier for earlier, later in pairwise(steps)) >= 15
    assert session.verdict is not None and session.verdict.causes == ()


@pytest.mark.parametrize("named", [False, True])
def test_a_network_that_is_trained_in_evaluation_mode_has_no_dev_part_of_its_own(
    named: bool,
) -> None:
    torch.manual_seed(0)
    model = Reader().eval()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(1)
    session = watch(say=None, model=model if named else None)
    with session:
        for _ in range(45):
            pictures, labels, frames, sizes = strings_of_digits(8, draw)
            loss = nn.functional.ctc_loss(model(pictures), labels, frames, sizes)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert [check.step for check in checks_of(session)] == [20, 40, 45]
    assert all("on_training_rows" in check.metrics for check in checks_of(session))
    assert session.verdict is not None and session.verdict.causes == ()


def test_of_two_heads_the_first_is_followed_which_is_said_once() -> None:
    torch.manual_seed(0)
    model = Reader()
    second = nn.Linear(7, 12)
    optimiser = torch.optim.Adam([*model.parameters(), *second.parameters()], lr=1e-2)
    draw = torch.Generator().manual_seed(1)
    said: list[str] = []
    session = watch(say=said.append)

    def loss() -> Tensor:
        pictures, labels, frames, sizes = strings_of_digits(8, draw)
        scores = model(pictures)
        others = second(scores).log_softmax(2)
        first_loss = nn.functional.ctc_loss(scores, labels, frames, sizes)
        return first_loss + nn.functional.ctc_loss(others, labels + 5, frames, sizes)

    with session:
        for step in range(1, 41):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()
            if step % 20 == 0:
                with torch.no_grad():
                    loss()
    assert not session._care.broken
    assert [check.metrics["utterances"] for check in checks_of(session)] == [8, 8, 8]
    assert sum("over 12 symbols" in line for line in said) == 1


def test_a_failure_of_the_watch_is_one_warning_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object) -> None:
        raise KeyError("of its own")

    monkeypatch.setattr(Watch, "_look_at_lattice", broken)
    session = watch(say=None)
    with pytest.warns(UserWarning, match="looks no more") as warned:
        model = Loop(steps=5).run(session)
    assert len(warned) == 1
    assert torch.equal(model.head.bias, Loop(steps=5).run().head.bias)


def test_an_error_of_the_loop_gets_out_and_is_recorded() -> None:
    session = watch(say=None)
    with pytest.raises(ZeroDivisionError), session:
        raise ZeroDivisionError("theirs")
    assert [record.data["reason"] for record in events_of(session)] == [Reason.OTHER]
    assert (
        session.file.history[-1].data["message"] == "training ended by ZeroDivisionError('theirs')"
    )


def test_an_interrupted_loop_is_looked_at_once_more_and_is_not_called_finished() -> None:
    session = watch(say=None)
    with pytest.raises(KeyboardInterrupt), session:
        Loop(steps=30).run()
        raise KeyboardInterrupt
    assert [record.data["reason"] for record in events_of(session)] == [Reason.INTERRUPTED]
    assert checks_of(session)[-1].step == 30


@pytest.mark.parametrize("error", [OSError("pipe closed"), ValueError("closed file")])
def test_one_who_cannot_be_told_ends_neither_the_loop_nor_the_watch(
    error: Exception, tmp_path: Path
) -> None:
    def say(message: str) -> None:
        raise error

    session = watch(out=tmp_path, say=say)
    with pytest.warns(UserWarning, match="could not be told") as warned:
        Loop(steps=45).run(session)
    assert len(warned) == 1
    assert [check.step for check in checks_of(session)] == [20, 40, 45]
    assert (tmp_path / "doctor.html").is_file()


@pytest.mark.filterwarnings("ignore:ctcasr")
def test_a_closed_stderr_does_not_hide_the_loops_own_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    with pytest.raises(KeyError, match="theirs"), watch(out=tmp_path):
        Loop(steps=25).run()
        raise KeyError("theirs")


def test_watches_may_end_in_the_order_in_which_they_began() -> None:
    original = torch.ctc_loss
    earlier = watch(say=None).start()
    later = watch(say=None).start()
    earlier.stop()
    Loop(steps=3).run()
    later.stop()
    assert torch.ctc_loss is original
    assert (earlier.step, later.step) == (0, 3)


def test_two_optimisers_of_one_network_take_one_step_together() -> None:
    torch.manual_seed(0)
    model = Reader()
    optimisers = [
        torch.optim.Adam(model.rnn.parameters(), lr=1e-3),
        torch.optim.SGD(model.head.parameters(), lr=1e-1),
    ]
    draw = torch.Generator().manual_seed(1)
    session = watch(say=None)
    with session:
        for _ in range(40):
            pictures, labels, frames, sizes = strings_of_digits(8, draw)
            loss = nn.functional.ctc_loss(model(pictures), labels, frames, sizes)
            model.zero_grad()
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
    steps = [record for record in session.file.history if isinstance(record, StepRecord)]
    assert session.step == sum(record.steps or 0 for record in steps) == 40
    assert all(record.lr == 1e-1 for record in steps)
    assert all(record.grad_norm is not None for record in steps)


def test_steps_without_a_gradient_are_told_once_and_are_no_trouble_of_the_rate() -> None:
    said: list[str] = []
    model = Reader()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(1)
    session = watch(say=said.append)
    with session:
        for _ in range(45):
            pictures, labels, frames, sizes = strings_of_digits(8, draw)
            nn.functional.ctc_loss(model(pictures), labels, frames, sizes).backward()
            optimiser.zero_grad()
            optimiser.step()
    reasons = [record.data["reason"] for record in events_of(session)]
    assert reasons == [Reason.NO_GRADIENT, Reason.FINISHED]
    assert sum("no parameter had a gradient" in line for line in said) == 1
    assert session.verdict is not None and session.verdict.causes == ()


def test_it_says_when_it_sees_nothing() -> None:
    said: list[str] = []
    layer = nn.Linear(1, 1)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    with watch(say=said.append):
        for _ in range(101):
            optimiser.zero_grad()
            layer(torch.ones(1)).sum().backward()
            optimiser.step()
    assert sum("no CTC loss was computed" in line for line in said) == 1


def test_two_sessions_do_not_nest_and_one_can_end_twice() -> None:
    session = watch(say=None).start()
    with pytest.raises(RuntimeError, match="does not run"):
        session.start()
    session.stop()
    assert session.stop() is session.verdict


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_the_exact_loss_replaces_torchs_with_the_same_value(
    reduction: str, zero_infinity: bool
) -> None:
    draw = torch.Generator().manual_seed(2)
    pictures, labels, frames, sizes = strings_of_digits(6, draw)
    scores = Reader()(pictures)
    if zero_infinity:
        frames[0] = 1  # no path
    ctc = nn.CTCLoss(reduction=reduction, zero_infinity=zero_infinity)
    plain = ctc(scores, labels, frames, sizes)
    with watch(say=None, replace_loss=True):
        exact = ctc(scores, labels, frames, sizes)
    assert torch.allclose(plain, exact, rtol=1e-5)


def evaluating_with_gradients(session: Watch) -> None:
    """A loop that forgets `no_grad`, sums the losses of two batches, and uses our own loss."""
    torch.manual_seed(0)
    model = Reader()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(1)
    with session:
        for step in range(1, 41):
            losses = []
            for _ in range(2):
                pictures, labels, frames, sizes = strings_of_digits(4, draw)
                scores = model(pictures).transpose(0, 1)
                losses.append(ctc_loss(scores, labels, frames, sizes, normalize=False))
            optimiser.zero_grad()
            (losses[0] + losses[1]).backward()
            optimiser.step()
            if step % 20 == 0:
                for _ in range(3):
                    pictures, labels, frames, sizes = strings_of_digits(16, draw)
                    ctc_loss(model(pictures).transpose(0, 1), labels, frames, sizes)


def test_an_evaluation_without_no_grad_and_accumulated_losses_of_ours_are_understood() -> None:
    session = watch(say=None)
    evaluating_with_gradients(session)
    assert session.step == 40
    checks = [record for record in session.file.history if isinstance(record, CheckRecord)]
    on_dev = [check for check in checks if "on_training_rows" not in check.metrics]
    assert [check.step for check in on_dev] == [20, 40]
    assert all(check.metrics["utterances"] >= 32 for check in on_dev)
    assert session.verdict is not None and session.verdict.causes == ()


def test_a_scaler_and_half_precision_are_no_trouble() -> None:
    torch.manual_seed(0)
    model = Reader()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu")
    draw = torch.Generator().manual_seed(1)
    session = watch(say=None)
    with session:
        for _ in range(40):
            pictures, labels, frames, sizes = strings_of_digits(8, draw)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = model(pictures)
            loss = nn.functional.ctc_loss(scores.float(), labels, frames, sizes)
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            scaler.step(optimiser)
            scaler.update()
    steps = [record for record in session.file.history if isinstance(record, StepRecord)]
    assert session.step == 40
    assert all(record.grad_norm is not None and record.grad_norm < 1e3 for record in steps)
    assert session.verdict is not None and session.verdict.causes == ()


@pytest.mark.parametrize(
    ("spoil", "slug"),
    [
        (lambda pictures: pictures * 0, "features-constant"),
        (lambda pictures: pictures.masked_fill(pictures > 1.5, torch.nan), "features-not-finite"),
        (lambda pictures: pictures, ""),
    ],
)
def test_a_hook_looks_at_what_goes_in(spoil: Callable[[Tensor], Tensor], slug: str) -> None:
    torch.manual_seed(0)
    model = Reader()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(1)
    session = watch(say=None, features=model.rnn)
    with session:
        for _ in range(45):
            pictures, labels, frames, sizes = strings_of_digits(8, draw)
            loss = nn.functional.ctc_loss(model(spoil(pictures)), labels, frames, sizes)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert session.verdict is not None and not session._care.broken
    assert [cause.slug for cause in session.verdict.causes][:1] == [slug][: len(slug)]
    assert "augmentation" in session.verdict.unmeasured[0]
    assert not model.rnn._forward_hooks


def test_a_module_that_nothing_passes_is_not_told_as_looked_at() -> None:
    session = watch(say=None, features=nn.Linear(3, 3))
    Loop(steps=25).run(session)
    assert session.verdict is not None
    (unmeasured,) = session.verdict.unmeasured
    assert "goes into the network" in unmeasured and "features=" in unmeasured


def test_a_watch_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="features: expected a torch"):
        watch(features="encoder", say=None)  # type: ignore[arg-type]
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")
    before = (nn.functional.ctc_loss, torch.ctc_loss, nn.Module.__call__)
    session = watch(out=taken, say=None)
    with pytest.raises(OSError, match="taken"):
        session.start()
    assert (nn.functional.ctc_loss, torch.ctc_loss, nn.Module.__call__) == before
    taken.unlink()
    with session:  # it can begin once the place is free
        assert nn.functional.ctc_loss is not before[0] or torch.ctc_loss is not before[1]


def test_a_hook_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Linear(2, 2)
    monkeypatch.setattr(module, "register_forward_hook", None)
    before = (nn.functional.ctc_loss, torch.ctc_loss)
    with pytest.raises(TypeError):
        watch(features=module, say=None).start()
    assert (nn.functional.ctc_loss, torch.ctc_loss) == before
