"""Findings about time: frames against symbols, and durations against characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ctcasr.doctor.finding import Finding, graded, line_of, lines_of
from ctcasr.doctor.listen import Sound
from ctcasr.recognise.model import SpeechModel
from ctcasr.scoring.figures import agreeing, plural
from ctcasr.text import Tokenizer

FASTEST = 35.0  # characters a second, spaces included; hurried speech reaches 25

_TIGHT = 0.2  # more frames than are needed
_LEAST_PACES = 20  # utterances from which on a pace can be strange
_STRANGE = 5.0  # robust standard deviations
_LEAST_SPREAD = 0.12  # nats that count as one standard deviation at least
_NORMAL = 1.4826  # standard deviation over the median absolute deviation of normal numbers
_PAIRS = 20_000  # of utterances, through which a robust line is drawn
_LEAST_S = 0.05  # seconds that the line expects at least

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FrameBudget:
    """What CTC needs of one utterance and what it gets.

    `frames` T, `symbols` U, `repeats` R (equal neighbours, which need a blank between them).
    """

    sound: Sound
    frames: int
    before: int  # frames before the network's own strides
    symbols: int
    repeats: int

    @property
    def needed(self) -> int:
        """U + R: the shortest alignment, in frames."""
        return self.symbols + self.repeats

    @property
    def slack(self) -> int:
        """T - U - R: frames to spare; below 0 no alignment exists."""
        return self.frames - self.needed

    @property
    def fits(self) -> bool:
        """Whether an alignment exists."""
        return self.slack >= 0

    @property
    def is_tight(self) -> bool:
        """Whether there are less than a fifth more frames than are needed."""
        return self.fits and self.slack < _TIGHT * self.needed


@dataclass(frozen=True)
class Slack:
    """Distribution of the frames to spare, in frames."""

    utterances: int
    infeasible: int
    least: int
    p1: float
    p5: float
    median: float
    p95: float
    tight: int  # utterances with less than a fifth more frames than they need

    def as_json(self) -> dict[str, float]:
        """Plain numbers, by the names above."""
        return asdict(self)


def frame_budgets(
    sounds: Sequence[Sound], model: SpeechModel, tokenizer: Tokenizer
) -> list[FrameBudget]:
    """The FrameBudget of every utterance that has a sound and a text."""
    budgets = []
    for sound in sounds:
        text = sound.utterance.text
        if sound.trouble or text is None:
            continue
        ids = _encode(text, tokenizer)
        budget = FrameBudget(
            sound=sound,
            frames=model.frames(sound.samples),
            before=model.front.framing.count(sound.samples),
            symbols=len(ids),
            repeats=sum(left == right for left, right in pairwise(ids)),
        )
        budgets.append(budget)
    return budgets


def distribution(budgets: Sequence[FrameBudget]) -> Slack | None:
    """Slack over all utterances; None where there are none."""
    if not budgets:
        return None
    slack = np.array([budget.slack for budget in budgets])
    percentiles = np.percentile(slack, (1, 5, 50, 95)).tolist()
    return Slack(
        utterances=len(budgets),
        infeasible=sum(not budget.fits for budget in budgets),
        least=int(slack.min()),
        p1=percentiles[0],
        p5=percentiles[1],
        median=percentiles[2],
        p95=percentiles[3],
        tight=sum(budget.is_tight for budget in budgets),
    )


def too_few_frames(budgets: Sequence[FrameBudget]) -> list[Finding]:
    """Utterances that have fewer frames than their text needs: no alignment exists."""
    short = [budget for budget in budgets if not budget.fits]
    if not short:
        return []
    worst = min(short, key=lambda budget: budget.slack)
    hopeless = sum(budget.before < budget.needed for budget in short)
    cure = "use a network with a smaller stride in time, or leave them out"
    if hopeless:
        cure += f"; {hopeless} would not fit even without any stride: their text or their sound is "
        cure += "wrong"
    return [
        Finding(
            "too-few-frames",
            graded(len(short), len(budgets)),
            f"{plural(len(short), 'line')} of {len(budgets)} {agreeing(len(short), 'have')} fewer "
            f"frames than symbols: line {line_of(worst.sound.utterance)} has {worst.frames} frames "
            f"for {worst.symbols} symbols and {worst.repeats} blanks between equal ones; "
            "they will be left out",
            cure,
            lines_of(budget.sound.utterance for budget in short),
            {
                "count": len(short),
                "of": len(budgets),
                "least_slack": worst.slack,
                "without_stride": hopeless,
            },
        )
    ]


def in_pace(budgets: Sequence[FrameBudget], tokenizer: Tokenizer, rate_hz: int) -> list[Finding]:
    """Texts far too long or too short for their sound, against the pace of the others."""
    spoken = [budget.sound for budget in budgets if budget.symbols]
    if not spoken:
        return []
    lengths = [len(tokenizer.reference(sound.utterance.text or "").text) for sound in spoken]
    characters = np.array(lengths, float)
    seconds = np.array([max(sound.samples / rate_hz, 0.001) for sound in spoken])
    pace = characters / seconds
    too_fast = pace > FASTEST
    strange = _strange_paces(characters, seconds) & ~too_fast
    findings = []
    if too_fast.any():
        findings.append(_too_fast(spoken, pace, np.flatnonzero(too_fast)))
    if strange.any():
        findings.append(_strange_pace(spoken, pace, np.flatnonzero(strange)))
    return findings


def _too_fast(spoken: Sequence[Sound], pace: Values, which: Values) -> Finding:
    hurried = [spoken[index].utterance for index in which]
    return Finding(
        "too-fast",
        graded(len(hurried), len(spoken)),
        f"{plural(len(hurried), 'line')} would be spoken at more than {FASTEST:g} characters a "
        f"second, as line {line_of(hurried[0])}: {pace[which[0]]:.0f}; nobody speaks so fast",
        "the text is of another recording, the sound was cut, or the header's sample rate is wrong",
        lines_of(hurried),
        {"count": len(hurried), "median_chars_per_s": float(np.median(pace))},
    )


def _strange_pace(spoken: Sequence[Sound], pace: Values, which: Values) -> Finding:
    strange = [spoken[index].utterance for index in which]
    return Finding(
        "strange-pace",
        "warning",
        f"{plural(len(strange), 'line', 'have')} a text that does not fit the length of the sound: "
        f"line {line_of(strange[0])} has {pace[which[0]]:.1f} characters a second, the median is "
        f"{np.median(pace):.1f}",
        "listen to them: the text may be of another recording, or the sound may hold more than the "
        "text",
        lines_of(strange),
        {"count": len(strange), "median_chars_per_s": float(np.median(pace))},
    )


def _encode(text: str, tokenizer: Tokenizer) -> list[int]:
    """Numbers of what the tokenizer can write, strict or not."""
    return tokenizer.encode(tokenizer.reference(text).text)


def _strange_paces(characters: Values, seconds: Values) -> Values:
    """[N] bool: whose pace is like nobody's, by their rate and by a line through all.

    Both must say so, since silence around one word makes short texts slow, and long ones fit a
    straight line badly.
    """
    if len(characters) < _LEAST_PACES:
        return np.zeros(len(characters), bool)
    by_rate = _scores(np.log(characters / seconds))
    by_line = -_scores(np.log(seconds / _expected_seconds(characters, seconds)))
    agree = by_rate * by_line > 0
    least = np.minimum(np.abs(by_rate), np.abs(by_line))
    return agree & (least > _STRANGE)


def _scores(values: Values) -> Values:
    """Distance of values [N], in nats, from their median in robust standard deviations."""
    away = values - np.median(values)
    deviation = _NORMAL * float(np.median(np.abs(away)))
    return away / max(deviation, _LEAST_SPREAD)


def _expected_seconds(characters: Values, seconds: Values) -> Values:
    """Seconds by a straight line over characters that half of the data could not bend.

    (Theil 1950, Sen 1968)
    """
    first, second = np.random.default_rng(0).integers(0, len(characters), (2, _PAIRS))
    more_characters = characters[first] - characters[second]
    more_seconds = seconds[first] - seconds[second]
    apart = more_characters != 0
    if not apart.any():
        return np.full_like(seconds, np.median(seconds))
    slope = float(np.median(more_seconds[apart] / more_characters[apart]))
    slope = max(0.0, slope)
    start = np.median(seconds - slope * characters)
    return np.maximum(start + slope * characters, _LEAST_S)
