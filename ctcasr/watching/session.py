"""`watch`: the doctor in anybody's training loop, in one line and with no other change."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ctcasr.ctc import ctc_loss, ctc_report
from ctcasr.diagnose import Verdict, verdict
from ctcasr.records import (
    SCHEMA,
    CheckRecord,
    EventRecord,
    Reason,
    Record,
    RecordFile,
    StartRecord,
    StepRecord,
)
from ctcasr.watching.evidence import Decode, RowEvidence
from ctcasr.watching.loss_call import SeenRows, rows_of
from ctcasr.watching.optimisers import (
    OptimiserWatch,
    ParameterSample,
    StepSigns,
    parameters_behind,
    parameters_of,
)
from ctcasr.watching.seams import (
    LossArguments,
    clipping_seen,
    ctc_losses_seen,
    scaled_steps_seen,
)

SHARE = 0.02  # of the time, at most, that goes by looking
LOG_EVERY = 5  # steps that one step record sums up
FIRST_CHECK = 20  # steps before the first check of a loop that has no dev part
CHECK_GROWTH = 1.25  # later checks of such a loop come at so many times the steps of the last one
DEV_ROWS = 64  # rows of a dev part that are looked at
TRAIN_ROWS = 16  # rows of a training call that are looked at
BLIND_AFTER = 100  # optimiser steps without a loss after which the watch says that it sees nothing

Say = Callable[[str], None]


def say_on_stderr(message: str) -> None:
    """The default way to tell a verdict: a line on stderr."""
    print(f"ctcasr: {message}", file=sys.stderr, flush=True)


@dataclass
class _Window:
    """What was seen since the last step record."""

    steps: int = 0
    started: float = 0.0
    loss_sum: float = 0.0
    looked_at: int = 0  # loss calls whose lattice was computed
    infeasible: int = 0
    details: dict[str, float] = field(default_factory=dict)
    signs: StepSigns | None = None


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
        self.say = say
        self.share = share
        self.verdict: Verdict | None = None
        self.file = RecordFile(None)
        self.evidence = RowEvidence(_decoder(decode))
        self.step = 0
        self._optimisers = OptimiserWatch(self._measure_step, self._stepped)
        self._seams = ExitStack()
        self._running = False
        self._broken = False
        self._began = 0.0
        self._spent = 0.0
        self._window = _Window()
        self._training_rows: SeenRows | None = None
        self._dev_rows: list[SeenRows] = []
        self._dev_seen = False  # whether this loop has a dev part at all
        self._losses_seen = 0
        self._parameters: list[nn.Parameter] = []  # behind the loss
        self._known: set[int] = set()  # ids of parameters that an optimiser knows
        self._before: ParameterSample | None = None  # at the last check
        self._next_check = FIRST_CHECK
        self._checked_at = -1  # the step of the last check
        self._parameter_stats: dict[str, Any] = {}
        self._said_blind = False
        self._said = ("", "")  # state and first cause that were told last

    # a session ----------------------------------------------------------------------------------

    def start(self) -> Watch:
        """Begin to watch. Raises RuntimeError where it watches already."""
        if self._running:
            raise RuntimeError("expected a watch that does not run; this one was started before")
        self._running = True
        self._began = time.perf_counter()
        self._window = _Window(started=self._began)
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.file = RecordFile(self.out / "records.jsonl")
        self._seams.enter_context(ctc_losses_seen(self._observe_loss))
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
        self._guarded(self._last_look)
        self.file.close()
        if self.out is not None:
            self._write_page(self.out)
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
            failure = EventRecord(step=self.step, reason=Reason.LOSS_FAILED, message=str(error))
            self._guarded(lambda: self._write(failure))
        self.stop()

    # what the seams tell ------------------------------------------------------------------------

    def _observe_loss(self, loss: Tensor, arguments: LossArguments) -> Tensor:
        training = loss.requires_grad and (self.model is None or self.model.training)
        see = self._see_training_loss if training else self._see_dev_loss
        self._guarded(lambda: see(loss, arguments))
        return exact_loss(arguments) if self.replace_loss else loss

    def _see_dev_loss(self, loss: Tensor, arguments: LossArguments) -> None:
        self._losses_seen += 1
        if sum(map(len, self._dev_rows)) < DEV_ROWS:
            self._dev_rows.append(rows_of(arguments).first(DEV_ROWS).on_host())

    def _see_training_loss(self, loss: Tensor, arguments: LossArguments) -> None:
        self._losses_seen += 1
        if self._dev_rows:  # a dev part has just been scored
            self._dev_seen = True
            self._check()
        about_to_check = not self._dev_seen and self.step + 1 >= self._next_check
        if not (self._losses_seen == 1 or about_to_check or self._may_look()):
            return
        rows = rows_of(arguments)
        self.evidence.learn_targets(rows)
        self._training_rows = rows.first(TRAIN_ROWS).on_host()
        if not self._parameters:
            self._parameters = parameters_behind(loss)
            self._before = ParameterSample.of(self._parameters)
        self._look_at_lattice(rows)

    def _look_at_lattice(self, rows: SeenRows) -> None:
        """Take the report of a training call into the step record that is being made."""
        report = ctc_report(
            rows.scores,
            rows.flat_targets.to(rows.scores.device),
            rows.input_lengths,
            rows.target_lengths,
            blank=rows.blank,
        )
        losses = report.nll[~report.nll.isposinf()]
        window = self._window
        window.looked_at += 1
        window.infeasible += len(report.infeasible)
        window.details = dict(report.summary())
        if len(losses):
            window.loss_sum += float(losses.mean())
        if not bool(torch.isfinite(losses).all()):
            message = "loss is not finite"
            self._write(EventRecord(step=self.step, reason=Reason.LOSS_NOT_FINITE, message=message))

    def _measure_step(self) -> bool:
        return self._window.steps + 1 >= LOG_EVERY

    def _stepped(self, optimiser: Optimizer, signs: StepSigns) -> None:
        self._guarded(lambda: self._see_step(optimiser, signs))

    def _see_step(self, optimiser: Optimizer, signs: StepSigns) -> None:
        parameters = parameters_of(optimiser)
        own = {id(parameter) for parameter in self._parameters}
        if own and not any(id(parameter) in own for parameter in parameters):
            return  # of another network in the same loop
        self._known.update(id(parameter) for parameter in parameters)
        self.step += 1
        self._window.steps += 1
        self._window.signs = signs
        if signs.grad_norm is not None and not math.isfinite(signs.grad_norm):
            self._event(
                Reason.GRADIENT_NOT_FINITE, "a step was taken with a gradient that is not finite"
            )
        if self._window.steps >= LOG_EVERY:
            self._close_window()
        if not self._dev_seen and self.step >= self._next_check:
            self._check()
        self._say_if_blind()

    def _scaled_step_left_out(self) -> None:
        message = "GradScaler left a step out: its gradients were not finite"
        self._guarded(lambda: self._event(Reason.GRADIENT_NOT_FINITE, message))

    # records ------------------------------------------------------------------------------------

    def _close_window(self) -> None:
        """Write the step record of the steps since the last one."""
        window = self._window
        now = time.perf_counter()
        signs = window.signs or StepSigns(lr=math.nan)
        loss = window.loss_sum / window.looked_at if window.looked_at else None
        self._write(
            StepRecord(
                step=self.step,
                steps=window.steps,
                loss=loss,
                lr=signs.lr,
                grad_norm=signs.grad_norm,
                clip_scale=signs.clip_scale,
                update_ratio=signs.update_ratio,
                step_s=now - window.started,
                infeasible=window.infeasible,
                details=window.details,
            )
        )
        self._window = _Window(started=now, details=window.details)

    def _check(self) -> None:
        """Look closely: at the dev part if there was one, else at training rows kept back."""
        on_dev = bool(self._dev_rows)
        rows = _joined(self._dev_rows) if on_dev else self._training_rows
        self._dev_rows = []
        self._next_check = max(self.step + FIRST_CHECK, round(CHECK_GROWTH * self.step))
        if rows is None:
            return
        part = self.evidence.of(rows)
        evidence: dict[str, Any] = {"dev": part, "parameters": self._parameter_evidence()}
        if self._training_rows is not None:
            evidence["train"] = self.evidence.of(self._training_rows)
        report = ctc_report(
            rows.scores,
            rows.flat_targets,
            rows.input_lengths,
            rows.target_lengths,
            blank=rows.blank,
        )
        metrics = {"cer": part["cer"], "utterances": len(rows)}
        if not math.isnan(part["wer"]):
            metrics["wer"] = part["wer"]
        if not on_dev:
            metrics["on_training_rows"] = 1.0
        record = CheckRecord(
            step=self.step,
            time_s=self._time_s(),
            loss=part["nll"],
            metrics=metrics,
            report=dict(report.summary()),
            evidence=evidence,
        )
        self.verdict = verdict([*self.file.history, record])
        self._write(replace(record, verdict=self.verdict.as_json()))
        self._say_verdict(part)

    def _parameter_evidence(self) -> dict[str, Any]:
        """Which parameters behind the loss are not in any optimiser, or do not move."""
        if self.step == self._checked_at:  # nothing can have moved since
            return self._parameter_stats
        total = max(sum(parameter.numel() for parameter in self._parameters), 1)
        unmoved = [] if self._before is None else self._before.unmoved(self._parameters)
        unknown = [p for p in self._parameters if self._known and id(p) not in self._known]
        names = self._names()
        left = [parameter for parameter in unmoved if _has_gradient(parameter)]
        self._before = ParameterSample.of(self._parameters)
        self._checked_at = self.step
        self._parameter_stats = {
            "frozen": sum(parameter.numel() for parameter in unknown) / total,
            "frozen_names": [names[id(parameter)] for parameter in unknown[:3]],
            "still": sum(parameter.numel() for parameter in unmoved) / total,
            "left": sum(parameter.numel() for parameter in left) / total,
            "left_names": [names[id(parameter)] for parameter in left[:3]],
            "watched": True,
            "gradients": {},
        }
        return self._parameter_stats

    def _names(self) -> dict[int, str]:
        """A name for each parameter behind the loss: the model's, or its shape."""
        names = {id(p): f"a parameter of shape {tuple(p.shape)}" for p in self._parameters}
        if self.model is not None:
            names.update((id(p), name) for name, p in self.model.named_parameters())
        return names

    def _last_look(self) -> None:
        moved_on = self.step > self._checked_at
        if self._dev_rows or (moved_on and not self._dev_seen):
            self._check()
        message = f"{self.step} optimiser steps watched, {self._losses_seen} CTC losses seen"
        self._event(Reason.FINISHED, message)

    def _event(self, reason: Reason, message: str) -> None:
        self._write(
            EventRecord(step=self.step, time_s=self._time_s(), reason=reason, message=message)
        )

    def _write(self, record: Record) -> None:
        self.file.write(record)

    # telling ------------------------------------------------------------------------------------

    def _say_verdict(self, part: dict[str, Any]) -> None:
        if self.say is None or self.verdict is None:
            return
        causes = self.verdict.causes
        news = (self.verdict.state, causes[0].slug if causes else "")
        if news == self._said:
            return
        self._said = news
        told = f"step {self.step}: {self.verdict.state}, loss {part['nll']:.1f} nats an utterance"
        if causes:
            told += f"; {causes[0].slug}: {causes[0].evidence} Cure: {causes[0].cure}"
        self.say(told)

    def _say_if_blind(self) -> None:
        if self._losses_seen or self._said_blind or self.step < BLIND_AFTER:
            return
        self._said_blind = True
        if self.say is not None:
            self.say(
                f"no CTC loss was computed within {BLIND_AFTER} optimiser steps: the watch sees "
                "torch.ctc_loss and what calls it (nn.CTCLoss, functional.ctc_loss). A loss of "
                "another library, or one inside a compiled graph, is not seen: call it outside "
                "torch.compile, or hand its arguments to torch's"
            )

    def _write_page(self, out: Path) -> None:
        try:
            from ctcasr.show import write_page

            write_page(out)
        except Exception as error:
            warnings.warn(f"ctcasr: no page was written: {error}", stacklevel=2)

    # care ---------------------------------------------------------------------------------------

    def _time_s(self) -> float:
        return round(time.perf_counter() - self._began, 3)

    def _may_look(self) -> bool:
        """Whether looking has taken less than its share of the time so far."""
        return self._spent < self.share * (time.perf_counter() - self._began)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Look: no error gets out, and no random number is drawn from the loop's generators."""
        if self._broken:
            return
        began = time.perf_counter()
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                work()
        except Exception as error:
            self._broken = True
            message = (
                f"ctcasr: the watch has failed and looks no more ({error!r}); training goes on"
            )
            warnings.warn(message, stacklevel=3)
        finally:
            if self._losses_seen > 1:  # the first look compiles kernels, once for all time
                self._spent += time.perf_counter() - began


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


def exact_loss(arguments: LossArguments) -> Tensor:
    """This library's loss of the same arguments: infeasible rows count as torch counts them."""
    scores = arguments.log_probs
    single = scores.dim() == 2
    if single:
        scores = scores.unsqueeze(1)
    rows = rows_of(arguments)
    loss = ctc_loss(
        scores.transpose(0, 1),
        rows.flat_targets.to(scores.device),
        rows.input_lengths,
        rows.target_lengths,
        blank=arguments.blank,
        reduction=("none", "mean", "sum")[arguments.reduction],
        zero_infinity=arguments.zero_infinity,
        normalize=False,
    )
    return loss[0] if single and arguments.reduction == 0 else loss


def _has_gradient(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


def _decoder(decode: Decode | Any | None) -> Decode | None:
    """A function from labels to text, of one or of a tokenizer that has it."""
    if decode is None or not hasattr(decode, "decode"):
        return decode
    method: Decode = decode.decode
    return method


def _joined(parts: list[SeenRows]) -> SeenRows:
    """The rows of several calls as one, padded with zeros."""
    frames = max(part.scores.shape[1] for part in parts)
    padded = []
    for part in parts:
        missing = frames - part.scores.shape[1]
        padded.append(nn.functional.pad(part.scores, (0, 0, 0, missing)))
    return SeenRows(
        torch.cat(padded),
        tuple(length for part in parts for length in part.input_lengths),
        tuple(labels for part in parts for labels in part.targets),
        parts[0].blank,
    )
