"""`watch`: the doctor in anybody's training loop, in one line and with no other change."""

from __future__ import annotations

import math
import warnings
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
    CheckRecord,
    EventRecord,
    Reason,
    Record,
    RecordFile,
    StartRecord,
)
from ctcasr.watching.calls import SeenCalls
from ctcasr.watching.care import Care, drawing_nothing
from ctcasr.watching.evidence import Decode, RowEvidence
from ctcasr.watching.loss_call import SeenRows, exact_loss, rows_of
from ctcasr.watching.optimisers import OptimiserWatch, StepSigns, parameters_of
from ctcasr.watching.parameters import ParameterWatch
from ctcasr.watching.seams import (
    LossArguments,
    clipping_seen,
    ctc_losses_seen,
    scaled_steps_seen,
)
from ctcasr.watching.window import Window, report_of
from ctcasr.watching.words import NOT_LOOKED_AT, Say, Teller, for_a_stranger, say_on_stderr

SHARE = 0.02  # of the time, at most, that goes by looking
LOG_EVERY = 5  # steps that one step record sums up
FIRST_CHECK = 20  # steps before the first check of a loop that has no dev part
FREE_CHECKS = 5  # that are made even where they take more than their share of the time
CHECK_GROWTH = 1.25  # later checks of such a loop come at so many times the steps of the last one


class Watch:
    """Sees every CTC loss and every optimiser step between `start` and `stop`; changes none.

    Costs at most about 2 % of the time: cheap numbers of every step, the lattice of as many losses
    as that leaves room for. Never raises into the loop: a failure of its own is one warning.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        model: nn.Module | None = None,
        decode: Decode | Any | None = None,
        replace_loss: bool = False,
        say: Say | None = say_on_stderr,
        share: float = SHARE,
    ) -> None:
        self.out = None if out is None else Path(out)
        self.model = model
        self.replace_loss = replace_loss
        self.verdict: Verdict | None = None
        self.file = RecordFile(None)
        self.evidence = RowEvidence(_decoder(decode))
        self.step = 0
        self._care = Care(share)
        self._calls = SeenCalls()
        self._parameters = ParameterWatch(model)
        self._optimisers = OptimiserWatch(self._measure_step, self._see_step, self._care.guarded)
        self._teller = Teller(say)
        self._window = Window()
        self._seams = ExitStack()
        self._running = False
        self._next_check = FIRST_CHECK
        self._checked_at = -1  # the step of the last check
        self._checks = 0
        self._last_nll = math.nan  # at the last check

    # a session ----------------------------------------------------------------------------------

    def start(self) -> Watch:
        """Begin to watch. Raises RuntimeError where it watches already."""
        if self._running:
            raise RuntimeError("expected a watch that does not run; this one was started before")
        self._running = True
        self._care.begin()
        self._window = Window()
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.file = RecordFile(self.out / "records.jsonl")
        self._seams.enter_context(ctc_losses_seen(self._observe_loss))
        self._seams.enter_context(observed(self._observe_own_loss))
        self._seams.enter_context(clipping_seen(self._optimisers.clipped))
        self._seams.enter_context(scaled_steps_seen(self._scaled_step_left_out))
        self._optimisers.start()
        self._write(StartRecord(step=0, schema=SCHEMA, threads=torch.get_num_threads()))
        return self

    def stop(self) -> Verdict | None:
        """End, after a last check; writes doctor.html into `out`, and returns the last verdict."""
        if not self._running:
            return self.verdict
        self._running = False
        self._seams.close()
        self._optimisers.stop()
        self._care.guarded(self._last_look)
        self.file.close()
        if self.out is not None:
            _write_page(self.out)
        return self.verdict

    def __enter__(self) -> Watch:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._running:
            message = str(error)
            self._care.guarded(lambda: self._event(Reason.LOSS_FAILED, message))
        self.stop()

    # what the seams tell ------------------------------------------------------------------------

    def _observe_loss(self, loss: Tensor, arguments: LossArguments) -> Tensor:
        if self.replace_loss and not self._care.looking:
            loss = self._exact(loss, arguments)
        self._observe_own_loss(loss, arguments)
        return loss

    def _observe_own_loss(self, loss: Tensor, call: LossCall) -> None:
        self._care.guarded(lambda: self._see_loss(loss, call))

    def _exact(self, loss: Tensor, arguments: LossArguments) -> Tensor:
        """Our loss of the same arguments; torch's where ours refuses them."""
        try:
            with self._care.own_losses():
                return exact_loss(arguments)
        except ValueError as error:
            self.replace_loss = False
            warnings.warn(f"ctcasr: torch's loss stays, for {error}", stacklevel=4)
            return loss

    def _see_loss(self, loss: Tensor, call: LossCall) -> None:
        self._calls.count += 1
        in_training_mode = self.model is None or self.model.training
        if loss.requires_grad and in_training_mode:
            self._see_training_loss(loss, call)
        else:
            self._calls.add_dev(rows_of(call))

    def _see_training_loss(self, loss: Tensor, call: LossCall) -> None:
        if self._calls.dev_is_waiting:  # a dev part has just been scored
            self._check()
        looks = self._looks_now()
        if not (looks or self._measure_step() or self._calls.some_wait):
            self._calls.add_pending(None, loss)
            return
        rows = rows_of(call)
        self._calls.add_pending(rows, loss)
        if looks:
            self.evidence.learn_targets(rows)
            self._parameters.learn_from(loss)
            self._look_at_lattice(rows)
            self._care.first_look_is_over()

    def _looks_now(self) -> bool:
        """Whether this training loss is looked at: as often as its share of the time allows."""
        first = not self._parameters.behind_loss
        check_is_due = not self._calls.has_dev_part and self.step + 1 >= self._next_check
        return first or (check_is_due and self._may_check) or self._care.may_look

    def _look_at_lattice(self, rows: SeenRows) -> None:
        """Take the report of a training call into the step record that is being made."""
        with drawing_nothing():
            finite = self._window.add_lattice(report_of(rows))
        if not finite:
            self._event(Reason.LOSS_NOT_FINITE, "loss is not finite")

    def _measure_step(self) -> bool:
        return self._window.steps + 1 >= LOG_EVERY

    def _see_step(self, optimiser: Optimizer, signs: StepSigns) -> None:
        if not self._parameters.take_step(parameters_of(optimiser)):
            return
        self._calls.settle()
        if self._calls.dev_is_waiting:  # scored before this step, without no_grad
            self._check()
        self.step += 1
        self._window.add_step(signs)
        if signs.grad_norm is not None and not math.isfinite(signs.grad_norm):
            message = "a step was taken with a gradient that is not finite"
            self._event(Reason.GRADIENT_NOT_FINITE, message)
        if self._window.steps >= LOG_EVERY:
            self._write(self._window.record(self.step))
            self._window = self._window.following()
        if not self._calls.has_dev_part and self.step >= self._next_check:
            self._check()
        self._teller.tell_if_blind(self.step, self._calls.count)

    def _scaled_step_left_out(self) -> None:
        message = "GradScaler left a step out: its gradients were not finite"
        self._care.guarded(lambda: self._event(Reason.GRADIENT_NOT_FINITE, message))

    # records ------------------------------------------------------------------------------------

    def _check(self, is_last: bool = False) -> None:
        """Look closely: at the dev part if there was one, else at training rows kept back."""
        dev_rows = self._calls.take_dev()
        if not (is_last or self._may_check):
            return
        self._next_check = max(self.step + FIRST_CHECK, round(CHECK_GROWTH * self.step))
        if dev_rows is None and self._calls.training_rows is None:
            return
        with drawing_nothing():
            record = self._check_record(dev_rows, self._calls.training_rows)
            self.verdict = for_a_stranger(verdict([*self.file.history, record]))
        self._checked_at = self.step
        self._checks += 1
        self._write(replace(record, verdict=self.verdict.as_json()))
        self._teller.tell(self.verdict, self._last_nll)

    @property
    def _may_check(self) -> bool:
        """Whether a check leaves the loop its time; the first few are worth it anyway."""
        return self._checks < FREE_CHECKS or self._care.may_look

    def _check_record(self, dev_rows: SeenRows | None, train_rows: SeenRows | None) -> CheckRecord:
        """The record of a check of the dev part, or of training rows where there is none."""
        rows = dev_rows or train_rows
        assert rows is not None
        dev = self.evidence.of(rows, self._last_nll)
        self._last_nll = dev["nll"]
        evidence: dict[str, Any] = {
            "dev": dev,
            "parameters": self._parameters.evidence(self.step),
            "unmeasured": NOT_LOOKED_AT,
        }
        if dev_rows is None:
            evidence["train"] = dev
        elif train_rows is not None:
            evidence["train"] = self.evidence.of(train_rows, try_penalties=False)
        metrics = {"cer": dev["cer"], "utterances": len(rows)}
        if not math.isnan(dev["wer"]):
            metrics["wer"] = dev["wer"]
        if dev_rows is None:
            metrics["on_training_rows"] = 1.0
        return CheckRecord(
            step=self.step,
            time_s=self._care.seconds,
            loss=dev["nll"],
            metrics=metrics,
            report=dict(report_of(rows).summary()),
            evidence=evidence,
        )

    def _last_look(self) -> None:
        self._calls.settle()
        moved_on = self.step > self._checked_at
        if self._calls.dev_is_waiting or (moved_on and not self._calls.has_dev_part):
            self._check(is_last=True)
        message = f"{self.step} optimiser steps watched, {self._calls.count} CTC losses seen"
        self._event(Reason.FINISHED, message)

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
    say: Say | None = say_on_stderr,
) -> Watch:
    """Watch any PyTorch training loop that computes a CTC loss, and tell why it does not learn.

    Args:
        out: folder for records.jsonl and doctor.html; nothing is written without it.
        model: the network, for names of parameters, and to tell evaluation from training.
        decode: from labels to text (a function, or a tokenizer with `decode`), for CER and WER.
        replace_loss: hand on the exact, deterministic loss of this library instead of torch's.
        say: called with a sentence for each verdict; None: silence.

    Example:
        >>> import torch
        >>> with watch(say=None) as session:
        ...     scores = torch.zeros(8, 1, 3, requires_grad=True).log_softmax(2)
        ...     loss = torch.nn.CTCLoss()(scores, torch.tensor([[1, 2]]), [8], [2])
        >>> session.verdict.state
        'plateau: wait'
    """
    return Watch(out, model, decode, replace_loss, say)


def _decoder(decode: Decode | Any | None) -> Decode | None:
    """A function from labels to text, of one or of a tokenizer that has it."""
    if decode is None or not hasattr(decode, "decode"):
        return decode
    method: Decode = decode.decode
    return method


def _write_page(out: Path) -> None:
    try:
        from ctcasr.show import write_page

        write_page(out)
    except Exception as error:
        warnings.warn(f"ctcasr: no page was written: {error}", stacklevel=3)
