"""`watch`: the doctor in anybody's training loop, in one line and with no other change."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ctcasr.ctc.observers import LossCall, observed
from ctcasr.diagnose import Verdict, verdict
from ctcasr.records import (
    SCHEMA,
    EventRecord,
    Reason,
    Record,
    RecordFile,
    StartRecord,
)
from ctcasr.scoring.figures import plural
from ctcasr.watching.calls import Head, KeptRows, Moment, SeenCalls
from ctcasr.watching.care import Care, drawing_nothing, warn
from ctcasr.watching.checks import PARTS, Checker, CheckTimes
from ctcasr.watching.endings import why_it_broke_off
from ctcasr.watching.evidence import Decode, RowEvidence
from ctcasr.watching.facts import CallFacts, score_sums
from ctcasr.watching.folder import open_records
from ctcasr.watching.inputs import InputWatch
from ctcasr.watching.loss_call import SeenRows, exact_loss, rows_of
from ctcasr.watching.optimisers import OptimiserWatch, StepSigns
from ctcasr.watching.parameters import ParameterWatch
from ctcasr.watching.seams import (
    LossArguments,
    clipping_seen,
    ctc_losses_seen,
    scaled_steps_seen,
)
from ctcasr.watching.window import Window, report_of
from ctcasr.watching.words import (
    NO_GRADIENT,
    Say,
    Teller,
    for_a_stranger,
    say_on_stderr,
)

SHARE = 0.01  # of the time, at most, that goes by looking
LOG_EVERY = 5  # steps, at least, that one step record sums up
RECORDS_KEPT = 200  # step records of a run, about: later ones sum up more steps
# What is looked at even where it takes more than its share of the time:
FREE_STEPS = 50
FREE_ROWS = 256  # their targets


class Watch:
    """Sees every CTC loss and every optimiser step between `start` and `stop`; changes none.

    Costs about 1 % of the time, and the first few looks: cheap numbers of every step, lattices and
    checks as often as that leaves room for. Never raises into the loop: a failure of its own is one
    warning.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        model: nn.Module | None = None,
        decode: Decode | Any | None = None,
        replace_loss: bool = False,
        features: nn.Module | None = None,
        say: Say | None = say_on_stderr,
        share: float = SHARE,
    ) -> None:
        for name, module in (("model", model), ("features", features)):
            if module is not None and not isinstance(module, nn.Module):
                raise ValueError(f"{name}: expected a torch.nn.Module; got {type(module).__name__}")
        self.out = None if out is None else Path(out)
        self.replace_loss = replace_loss
        self.verdict: Verdict | None = None
        self.file = RecordFile(None)
        self.evidence = RowEvidence(_decoder(decode), getattr(decode, "pad_token_id", None))
        self.step = 0
        self._care = Care(share)
        self._calls = SeenCalls()
        unknown_label = getattr(decode, "unk_token_id", None)
        self._facts = {part: CallFacts(unknown_label) for part in PARTS}
        self._inputs = None if features is None else InputWatch(features)
        self._parameters = ParameterWatch(model)
        self._check_times = CheckTimes(self._care)
        self._checker = Checker(self.evidence, self._facts, self._parameters, self._inputs)
        self._optimisers = OptimiserWatch(
            self._measures_step, self._see_step, self._care.guarded, self._steps_left_out
        )
        self._stepped: set[int] = set()  # ids of optimisers that took a step since the last loss
        self._told_no_gradient = False
        self._teller = Teller(say)
        self._window = Window()
        self._seams = ExitStack()
        self._running = False

    # a session ----------------------------------------------------------------------------------

    def start(self) -> Watch:
        """Begin to watch. Raises RuntimeError where it watches already."""
        if self._running:
            raise RuntimeError("expected a watch that does not run; this one was started before")
        self._running = True
        try:
            self._begin()
        except BaseException:  # a watch that has not begun leaves nothing behind in torch
            self._running = False
            self._let_go()
            raise
        return self

    def _begin(self) -> None:
        """Open the file and take hold of losses, optimisers and modules."""
        self._care.begin()
        self._window = Window()
        if self.out is not None:
            self.file = open_records(self.out)
        self._take_hold()
        self._write(StartRecord(step=0, schema=SCHEMA, threads=torch.get_num_threads()))

    def _take_hold(self) -> None:
        """Be called by losses, optimisers and modules from here on."""
        self._seams.enter_context(ctc_losses_seen(self._observe_loss))
        self._seams.enter_context(observed(self._observe_own_loss))
        self._seams.enter_context(clipping_seen(self._optimisers.clippings.add))
        self._seams.enter_context(scaled_steps_seen(self._scaled_step_left_out))
        self._optimisers.start()
        self._parameters.start()
        if self._inputs is not None:
            self._inputs.start()

    def _let_go(self) -> None:
        """Give back what `_take_hold` took."""
        self._seams.close()
        self._optimisers.stop()
        self._parameters.stop()
        if self._inputs is not None:
            self._inputs.stop()

    def stop(self) -> Verdict | None:
        """End, after a last check; writes doctor.html into `out`, and returns the last verdict.

        The last check is of what was scored last, if no check has looked at it yet.
        """
        if not self._running:
            return self.verdict
        self._end()
        return self.verdict

    def _end(self, error: BaseException | None = None) -> None:
        """Look once more, and let go of everything; what the loop raised is told."""
        self._running = False
        self._let_go()
        self._care.guarded(self._last_look, error)
        try:
            self.file.close()
        except OSError as failure:
            warn(f"the end of the records was not written: {failure}")
        if self.out is not None:
            self._teller.tell_page(_write_page(self.out))

    def __enter__(self) -> Watch:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running:
            self._end(error)

    # what the seams tell ------------------------------------------------------------------------

    def _observe_loss(self, loss: Tensor, arguments: LossArguments) -> Tensor:
        if self.replace_loss and not self._care.looking:
            loss = self._exact(loss, arguments)
        self._observe_own_loss(loss, arguments)
        return loss

    def _observe_own_loss(self, loss: Tensor, call: LossCall) -> None:
        self._care.guarded(self._see_loss, loss, call)

    def _exact(self, loss: Tensor, arguments: LossArguments) -> Tensor:
        """Our loss of the same arguments; torch's where ours refuses them."""
        try:
            with self._care.own_losses():
                return exact_loss(arguments)
        except ValueError as error:
            self.replace_loss = False
            warn(f"torch's loss stays, for {error}")
            return loss

    def _see_loss(self, loss: Tensor, call: LossCall) -> None:
        self._end_step()
        self._calls.count += 1
        head = Head(call.log_probs.shape[-1], call.blank)
        if not self._calls.is_first_head(head, loss.requires_grad):
            self._teller.tell_other_head(head.classes, head.blank)
            return
        if loss.requires_grad:
            self._see_training_loss(loss, call)
        elif self._calls.wants_dev:
            rows = rows_of(call)
            self._calls.add_dev(rows)
            self._count("dev", rows)
        else:
            self._calls.has_dev_part = True

    def _see_training_loss(self, loss: Tensor, call: LossCall) -> None:
        if self._calls.mode_tells and not self._parameters.network.training:
            self._see_loss_in_evaluation_mode(loss, call)
            return
        looks = self._looks_now()
        if self._calls.dev_is_waiting:  # a dev part has just been scored
            self._parameters.look_at_units(loss, call.log_probs.shape[0])
            looks = self._check() or looks
        copies = looks or self._measures_step() or self._keeps_rows
        if not (copies or self._counts_now()):
            self._calls.add_pending(None, loss)
            return
        rows = rows_of(call)
        self._calls.add_pending(rows if copies else None, loss)
        self._count("train", rows)
        self.evidence.learn_targets(rows.sound())
        if looks:
            self._parameters.learn_from(loss)
            if self._check_is_due:
                self._parameters.look_at_units(loss, call.log_probs.shape[0])
            sums = score_sums(call, rows)
            self._checker.score_sums = sums or self._checker.score_sums
            self._look_at_lattice(rows, getattr(call, "zero_infinity", False))
            self._care.first_look_is_over()

    def _see_loss_in_evaluation_mode(self, loss: Tensor, call: LossCall) -> None:
        """Keep what is of the dev part, if its gradient is not asked for."""
        rows = rows_of(call)
        self._calls.add_pending(rows, loss, in_training_mode=False)
        if self._calls.training_known:
            self._count("dev", rows)

    @property
    def _keeps_rows(self) -> bool:
        """Whether rows are kept that nobody looks at now: of an evaluation, or of a last check."""
        return self._calls.some_wait or self._calls.wants_training(self.step)

    @property
    def _now(self) -> Moment:
        return Moment(self.step, self._care.seconds)

    def _count(self, part: str, rows: SeenRows) -> None:
        """Take the rows of a call into the facts of a part."""
        if not self._facts[part].complete:
            self._facts[part].add(rows)
        if self._inputs is not None:
            self._inputs.add_to(part, rows.input_lengths, rows.classes)

    def _looks_now(self) -> bool:
        """Whether this training loss is looked at: as often as its share of the time allows."""
        first = not self._parameters.behind_loss
        at_first = self.step < FREE_STEPS and self._measures_step()  # one for each step record
        return first or at_first or self._check_is_due or self._care.may_look

    def _counts_now(self) -> bool:
        """Whether the targets of this training loss are looked at, though its scores are not."""
        is_free = self._facts["train"].rows < FREE_ROWS and self._care.is_generous
        return self.evidence.wants_targets and (is_free or self._care.may_look)

    @property
    def _check_is_due(self) -> bool:
        """Whether training rows are looked at behind the next step."""
        if self._calls.has_dev_part or not self._check_times.is_due(self.step + 1):
            return False
        return self._check_times.may_check("train", self.step)

    def _look_at_lattice(self, rows: SeenRows, zero_infinity: bool) -> None:
        """Take the report of a training call into the step record that is being made."""
        sound = rows.sound()
        if not len(sound):
            return
        with drawing_nothing():
            finite = self._window.add_lattice(report_of(sound), zero_infinity)
        if not finite:
            self._event(Reason.LOSS_NOT_FINITE, "loss is not finite")

    def _measures_step(self) -> bool:
        """Whether the step that comes next is measured: the last of a step record."""
        is_free = self.step < FREE_STEPS and self._care.is_generous
        may_measure = is_free or self._care.may_look
        steps = self._window.steps if self._stepped else self._window.steps + 1
        return may_measure and self._window_is_full(steps)

    def _window_is_full(self, steps: int) -> bool:
        return steps >= max(LOG_EVERY, self.step // RECORDS_KEPT)

    def _see_step(self, optimiser: Optimizer, signs: StepSigns) -> None:
        if not self._parameters.take_step(optimiser):
            return
        if self._stepped and id(optimiser) not in self._stepped:
            self._window.add_to_step(signs)
            self._stepped.add(id(optimiser))
            return
        self._end_step()
        self._stepped.add(id(optimiser))
        self._calls.settle(Moment(self.step + 1, self._care.seconds))
        if self._calls.dev_is_waiting:  # scored before this step, without no_grad
            self._check()
        self.step += 1
        self._window.add_step(signs)
        self._teller.tell_if_blind(self.step, self._calls.count)

    def _end_step(self) -> None:
        """No optimiser takes part in the last step any more: write what was seen of it."""
        if not self._stepped:
            return
        self._stepped = set()
        self._judge_gradient(self._window.signs)
        if self._window_is_full(self._window.steps):
            self._write(self._window.record(self.step, self._care.seconds))
            self._window = Window()
        if not self._calls.has_dev_part and self._check_times.is_due(self.step):
            self._check()

    def _judge_gradient(self, signs: StepSigns) -> None:
        """Tell of a gradient that is not finite, and once of none at all."""
        if signs.grad_norm is not None and not math.isfinite(signs.grad_norm):
            message = "a step was taken with a gradient that is not finite"
            self._event(Reason.GRADIENT_NOT_FINITE, message)
        if signs.without_gradient and not self._told_no_gradient:
            self._told_no_gradient = True
            self._event(Reason.NO_GRADIENT, NO_GRADIENT)
            self._teller.tell_no_gradient(self.step)

    def _scaled_step_left_out(self) -> None:
        self._care.guarded(self._steps_left_out, 1)

    def _steps_left_out(self, count: int) -> None:
        """Steps that a GradScaler has left out; those of a fused optimiser are told together."""
        message = f"GradScaler left {plural(count, 'step')} out: gradients were not finite"
        self._event(Reason.GRADIENT_NOT_FINITE, message)

    # records ------------------------------------------------------------------------------------

    def _check(self) -> bool:
        """Look closely: at the dev part if there was one, else at training rows kept back.

        False where there is no time to, or nothing to look at. A dev part that is left out waits
        for the end.
        """
        dev = self._calls.take_dev(self._now)
        part = "train" if dev is None else "dev"
        if not self._check_times.may_check(part, self.step):
            return False
        self._check_times.put_off(self.step)
        if dev is None and self._calls.training is None:
            return False
        self._write_check(dev)
        return True

    def _write_check(self, dev: KeptRows | None, ending: EventRecord | None = None) -> None:
        """Look closely at these rows, or at those of training; at the `ending` of the watch too."""
        with drawing_nothing():
            record = self._checker.record(dev, self._calls.training, self.step)
            history: list[Record] = [*self.file.history, record]
            if ending is not None:
                history.append(ending)
            self.verdict = for_a_stranger(verdict(history))
        self._check_times.note("train" if dev is None else "dev", record.step)
        self._write(replace(record, verdict=self.verdict.as_json()))
        self._teller.tell(self.verdict, self._checker.last_nll)

    def _last_look(self, error: BaseException | None) -> None:
        self._end_step()
        self._optimisers.read_left_out()
        self._calls.settle(self._now)
        self._calls.take_dev(self._now)
        ending = self._finished() if error is None else self._broken_off(error)
        dev = self._calls.dev
        training = self._calls.training
        dev_was_checked = self._calls.has_dev_part and self._check_times.count
        if self._check_times.is_news("dev", dev, self.step):
            self._write_check(dev, ending)
        elif not dev_was_checked and self._check_times.is_news("train", training, self.step):
            self._write_check(None, ending)
        self._write(ending)

    def _finished(self) -> EventRecord:
        message = f"{self.step} optimiser steps watched, {self._calls.count} CTC losses seen"
        seconds = self._care.seconds
        return EventRecord(step=self.step, time_s=seconds, reason=Reason.FINISHED, message=message)

    def _broken_off(self, error: BaseException) -> EventRecord:
        reason, message = why_it_broke_off(error)
        seconds = self._care.seconds
        return EventRecord(step=self.step, time_s=seconds, reason=reason, message=message)

    def _event(self, reason: Reason, message: str) -> None:
        seconds = self._care.seconds
        self._write(EventRecord(step=self.step, time_s=seconds, reason=reason, message=message))

    def _write(self, record: Record) -> None:
        self.file.write(record)


def watch(
    out: Path | str | None = None,
    model: nn.Module | None = None,
    decode: Decode | Any | None = None,
    replace_loss: bool = False,
    features: nn.Module | None = None,
    say: Say | None = say_on_stderr,
) -> Watch:
    """Watch any PyTorch training loop that computes a CTC loss, and tell why it does not learn.

    Args:
        out: folder for records.jsonl and doctor.html; nothing is written without it. Records of
            an earlier watch are kept as records.before.jsonl; those of a training by this library
            are not replaced (FileExistsError).
        model: the network; else it is found by its calls before the first training loss.
        decode: from labels to text (a function, or a tokenizer with `decode`), for CER and WER.
        replace_loss: hand on the exact, deterministic loss of this library instead of torch's.
        features: a module that samples [B, N] or features [B, T, ...] go into, to look at them.
        say: called with a sentence for each verdict; None: silence.

    Example:
        >>> import torch
        >>> with watch(say=None) as session:
        ...     scores = torch.zeros(8, 1, 3, requires_grad=True).log_softmax(2)
        ...     loss = torch.nn.CTCLoss()(scores, torch.tensor([[1, 2]]), [8], [2])
        >>> session.verdict.state
        'plateau: wait'
    """
    return Watch(out, model, decode, replace_loss, features, say)


def _decoder(decode: Decode | Any | None) -> Decode | None:
    """A function from labels to text, of one or of a tokenizer that has it."""
    if decode is None or not hasattr(decode, "decode"):
        return decode
    method: Decode = decode.decode
    return method


def _write_page(out: Path) -> Path | None:
    """The page about what was seen; None, and a warning, where it cannot be written."""
    try:
        from ctcasr.show import write_page

        return write_page(out)
    except Exception as error:
        warn(f"no page was written: {error}")
        return None
