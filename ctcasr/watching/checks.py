"""When a watch looks closely, and the records of what it then sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ctcasr.records import CheckRecord
from ctcasr.watching.calls import KeptRows
from ctcasr.watching.care import Care
from ctcasr.watching.evidence import RowEvidence
from ctcasr.watching.facts import CallFacts, ScoreSums
from ctcasr.watching.inputs import InputWatch
from ctcasr.watching.parameters import ParameterWatch
from ctcasr.watching.window import report_of
from ctcasr.watching.words import NOT_LOOKED_AT, NOT_LOOKED_AT_BY_HOOK, NOTHING_PASSED_HOOK

PARTS = ("train", "dev")
FREE_CHECKS = 5  # made even where they take more than their share of the time
FREE_STEPS_APART = 15  # at least: the first few steps of a healthy training look like trouble
FIRST_CHECK = 20  # steps before the first check of a loop that has no dev part
CHECK_GROWTH = 1.25  # later checks of such a loop come at so many times the steps of the last one


class CheckTimes:
    """Which steps have had a check, and which may have one."""

    def __init__(self, care: Care) -> None:
        self.count = 0
        self._care = care
        self._next_step = FIRST_CHECK
        self._last_steps = dict.fromkeys(PARTS, -1)  # of each part, where its rows were scored

    def is_due(self, step: int) -> bool:
        """Whether a loop that has no dev part wants a check by now."""
        return step >= self._next_step

    def may_check(self, part: str, step: int) -> bool:
        """Whether a check leaves the loop its time; the first few are worth it anyway.

        What is scored before any step, as by Lightning, tells nothing of training.
        """
        if not step:
            return False
        is_apart = step >= max(self._last_steps[part], 0) + FREE_STEPS_APART
        is_free = is_apart and self.count < FREE_CHECKS and self._care.is_generous
        return is_free or self._care.may_look

    def put_off(self, step: int) -> None:
        """Have the next check of a loop without dev part come later."""
        self._next_step = max(step + FIRST_CHECK, round(CHECK_GROWTH * step))

    def is_news(self, part: str, kept: KeptRows | None, step: int) -> bool:
        """Whether rows tell more than the part's last check; those before any step hardly do."""
        if kept is None or kept.scored.step <= self._last_steps[part]:
            return False
        return kept.scored.step > 0 or not step

    def note(self, part: str, step: int) -> None:
        """A check was made of rows of a part that were scored at a step."""
        self._last_steps[part] = step
        self.count += 1


class Checker:
    """Makes the records of checks, with all that calls, graph, network and inputs have shown."""

    def __init__(
        self,
        evidence: RowEvidence,
        facts: Mapping[str, CallFacts],
        parameters: ParameterWatch,
        inputs: InputWatch | None,
    ) -> None:
        self.score_sums: ScoreSums | None = None  # of the last training call that was looked at
        self.last_nll = math.nan  # at the last check
        self._evidence = evidence
        self._facts = facts
        self._parameters = parameters
        self._inputs = inputs
        self._least_cer = math.inf  # at any check

    def record(
        self, dev_part: KeptRows | None, training: KeptRows | None, step: int
    ) -> CheckRecord:
        """The record of a check of the dev part, or of training rows where there is none.

        It stands where these rows were scored.
        """
        looked_at = dev_part or training
        assert looked_at is not None
        sound = looked_at.rows.sound()
        dev = self._evidence.of(sound, self.last_nll)
        self.last_nll = dev["nll"]
        train = dev
        if dev_part is not None:
            train = {}
            if training is not None:
                train = self._evidence.of(training.rows.sound(), try_penalties=False)
        metrics = {"cer": dev["cer"], "utterances": len(looked_at.rows)}
        if not math.isnan(dev["wer"]):
            metrics["wer"] = dev["wer"]
        if dev_part is None:
            metrics["on_training_rows"] = 1.0
        return CheckRecord(
            step=looked_at.scored.step,
            time_s=looked_at.scored.time_s,
            loss=dev["nll"],
            best=self._is_best(dev["cer"]),
            metrics=metrics,
            report=dict(report_of(sound).summary()) if len(sound) else {},
            evidence=self._evidence_around(dev, train, step),
        )

    def _is_best(self, cer: float) -> bool:
        """Whether fewer errors were made than at any check before."""
        is_best = cer < self._least_cer
        if is_best:
            self._least_cer = cer
        return is_best

    def _evidence_around(
        self, dev: dict[str, Any], train: dict[str, Any], step: int
    ) -> dict[str, Any]:
        """Evidence of both parts, with what was seen beside their rows up to a step."""
        train = {
            **train,
            "batch": self._facts["train"].batch_size,
            "normed": self._parameters.network.norm_layers,
            "dead": self._parameters.dead,
        }
        unmeasured = NOT_LOOKED_AT
        if self._inputs is not None:
            unmeasured = NOT_LOOKED_AT_BY_HOOK if self._inputs.saw_any else NOTHING_PASSED_HOOK
            dev = {**dev, **self._inputs.facts["dev"].as_json()}
            train = {**train, **self._inputs.facts["train"].as_json()}
        corpus = {part: facts.as_json() for part, facts in self._facts.items() if facts.rows}
        evidence: dict[str, Any] = {
            "dev": dev,
            "train": train,
            "corpus": corpus,
            "parameters": self._parameters.evidence(step),
            "unmeasured": unmeasured,
        }
        if self.score_sums is not None:
            evidence["scores"] = self.score_sums.as_json()
        return evidence
