"""Findings about time: frames against symbols, and durations against characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from ctcasr.doctor.finding import Finding, graded, line_of, lines_of, plural
from ctcasr.doctor.listen import Sound
from ctcasr.recognise.model import SpeechModel
from ctcasr.text import Tokenizer

FASTEST = 35.0  # characters a second, spaces included; hurried speech reaches 25
_STRANGE = 5.0  # robust standard deviations


@dataclass(frozen=True)
class FrameBudget:
    """What CTC needs of one utterance and what it gets: `frames` T, `symbols` U, `repeats` R (equal neighbours)."""

    sound: Sound
    frames: int
    before: int  # frames before the network's own strides
    symbols: int
    repeats: int

    @property
    def slack(self) -> int:
        """T - U - R: frames to spare; below 0 no alignment exists."""
        return self.frames - self.symbols - self.repeats


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
        """Plain numbers."""
        return asdict(self)


def frame_budgets(
    sounds: Sequence[Sound], model: SpeechModel, tokenizer: Tokenizer
) -> list[FrameBudget]:
    """The FrameBudget of every utterance that has a sound and a text."""
    found = []
    for sound in sounds:
        if sound.trouble or sound.utterance.text is None:
            continue
        ids = _encode(sound.utterance.text, tokenizer)
        repeats = sum(a == b for a, b in pairwise(ids))
        found.append(
            FrameBudget(
                sound,
                model.frames(sound.samples),
                model.front.framing.count(sound.samples),
                len(ids),
                repeats,
            )
        )
    return found


def distribution(found: Sequence[FrameBudget]) -> Slack | None:
    """Slack over all utterances; None where there are none."""
    if not found:
        return None
    slack = np.array([budget.slack for budget in found])
    p1, p5, median, p95 = (float(v) for v in np.percentile(slack, (1, 5, 50, 95)))
    tight = sum(0 <= budget.slack < 0.2 * (budget.symbols + budget.repeats) for budget in found)
    return Slack(len(found), int((slack < 0).sum()), int(slack.min()), p1, p5, median, p95, tight)


def too_few_frames(found: Sequence[FrameBudget]) -> list[Finding]:
    """Utterances that have fewer frames than their text needs: no alignment exists, whatever the network does."""
    bad = [budget for budget in found if budget.slack < 0]
    if not bad:
        return []
    hopeless = sum(budget.before < budget.symbols + budget.repeats for budget in bad)
    worst = min(bad, key=lambda budget: budget.slack)
    message = (
        f"{plural(len(bad), 'line')} of {len(found)} have fewer frames than symbols: line {line_of(worst.sound.utterance)} has "
        f"{worst.frames} frames for {worst.symbols} symbols and {worst.repeats} blanks between equal ones; they will be left out"
    )
    cure = "use a network with a smaller stride in time, or leave them out"
    if hopeless:
        cure += f"; {hopeless} would not fit even without any stride: their text or their sound is wrong"
    return [
        Finding(
            "too-few-frames",
            graded(len(bad), len(found)),
            message,
            cure,
            lines_of(r.sound.utterance for r in bad),
            {
                "count": len(bad),
                "of": len(found),
                "least_slack": worst.slack,
                "without_stride": hopeless,
            },
        )
    ]


def in_pace(found: Sequence[FrameBudget], tokenizer: Tokenizer, rate_hz: int) -> list[Finding]:
    """Texts far too long or too short for their sound, against the pace of the others: probably of another recording."""
    those = [budget for budget in found if budget.symbols]
    if not those:
        return []
    chars = np.array(
        [len(tokenizer.normalise(budget.sound.utterance.text or "")) for budget in those], float
    )
    seconds = np.array([max(budget.sound.samples / rate_hz, 0.001) for budget in those])
    pace = chars / seconds
    strange = np.zeros(len(those), bool)
    if len(those) >= 20:
        # Twice, since silence around one word makes short texts slow, and long ones fit a straight line badly: both must say so.
        rate, line = (
            _scores(np.log(pace)),
            -_scores(np.log(seconds / _expected_seconds(chars, seconds))),
        )
        strange = (np.minimum(np.abs(rate), np.abs(line)) > _STRANGE) & (rate * line > 0)
    too_fast = pace > FASTEST
    result = []
    if too_fast.any():
        bad = [those[i].sound.utterance for i in np.flatnonzero(too_fast)]
        result.append(
            Finding(
                "too-fast",
                graded(len(bad), len(those)),
                f"{plural(len(bad), 'line')} would be spoken at more than "
                f"{FASTEST:g} characters a second, as line {line_of(bad[0])}: {pace[too_fast][0]:.0f}; nobody speaks so fast",
                "the text is of another recording, the sound was cut, or the header's sample rate is wrong",
                lines_of(bad),
                {"count": len(bad), "median_chars_per_s": float(np.median(pace))},
            )
        )
    strange &= ~too_fast
    if strange.any():
        bad = [those[i].sound.utterance for i in np.flatnonzero(strange)]
        at = int(np.flatnonzero(strange)[0])
        result.append(
            Finding(
                "strange-pace",
                "warning",
                f"{plural(len(bad), 'line')} have a text that does not fit the length of the "
                f"sound: line {line_of(bad[0])} has {pace[at]:.1f} characters a second, the median is {np.median(pace):.1f}",
                "listen to them: the text may be of another recording, or the sound may hold more than the text",
                lines_of(bad),
                {"count": len(bad), "median_chars_per_s": float(np.median(pace))},
            )
        )
    return result


def _encode(text: str, tokenizer: Tokenizer) -> list[int]:
    """Numbers of what the tokenizer can write, strict or not."""
    for char in tokenizer.uncovered(text):
        text = tokenizer.normalise(text).replace(char, "")
    return tokenizer.encode(text)


def _scores(values: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations; at least 0.12 nats count as one."""
    away = values - np.median(values)
    return away / max(1.4826 * float(np.median(np.abs(away))), 0.12)


def _expected_seconds(chars: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Seconds by a straight line over characters that half of the data could not bend (Theil 1950, Sen 1968)."""
    first, second = np.random.default_rng(0).integers(0, len(chars), (2, 20_000))
    apart = chars[first] != chars[second]
    if not apart.any():
        return np.full_like(seconds, np.median(seconds))
    slope = max(
        0.0,
        float(
            np.median(
                (seconds[first] - seconds[second])[apart] / (chars[first] - chars[second])[apart]
            )
        ),
    )
    return np.maximum(np.median(seconds - slope * chars) + slope * chars, 0.05)
