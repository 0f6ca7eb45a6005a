"""Frames against symbols, durations against characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.doctor import frames
from ctcasr.doctor.frames import FrameBudget, distribution, frame_budgets
from ctcasr.doctor.listen import Sound
from ctcasr.recognise.model import SpeechModel
from ctcasr.text import Alphabet

ALPHABET = Alphabet.english38()


def said(number: int, text: str | None, seconds: float, trouble: str = "") -> Sound:
    utterance = Utterance(Path(f"{number}.wav"), text=text, where=f"m:{number}")
    return Sound(utterance, samples=round(16000 * seconds), trouble=trouble)


def budget(number: int, frame_count: int, symbols: int, repeats: int = 0) -> FrameBudget:
    return FrameBudget(
        said(number, "x" * symbols, 1.0), frame_count, 4 * frame_count, symbols, repeats
    )


def test_a_budget_is_of_what_has_sound_and_text(model: SpeechModel) -> None:
    sounds = [said(1, "hello", 1.0), said(2, None, 1.0), said(3, "a", 1.0, "missing-file")]
    (found,) = frame_budgets(sounds, model, ALPHABET)
    assert (found.symbols, found.repeats) == (5, 1) and found.frames == model.frames(16000)
    assert found.before > found.frames and found.slack == found.frames - 6


def test_the_distribution_counts_what_does_not_fit_and_what_hardly_does() -> None:
    slack = distribution([budget(1, 10, 11), budget(2, 10, 9), budget(3, 50, 9)])
    assert slack is not None and distribution([]) is None
    assert (slack.infeasible, slack.tight, slack.least, slack.median) == (1, 1, -1, 1.0)


def test_what_no_stride_could_save_is_told() -> None:
    (finding,) = frames.too_few_frames([budget(1, 10, 11), budget(2, 10, 99), budget(3, 90, 9)])
    assert finding.lines == (1, 2) and finding.figures["without_stride"] == 1
    assert not frames.too_few_frames([budget(3, 90, 9)])


def test_paces_that_nobody_has() -> None:
    draw = np.random.default_rng(0)
    sounds = []
    for number in range(1, 41):
        characters = int(draw.integers(10, 40))
        sounds.append(said(number, "x" * characters, characters / draw.normal(14, 1)))
    sounds += [said(41, "x" * 200, 2.0), said(42, "x" * 20, 60.0)]
    budgets = [FrameBudget(sound, 99, 99, 9, 0) for sound in sounds]
    found = {f.slug: f.lines for f in frames.in_pace(budgets, ALPHABET, 16000)}
    assert found == {"too-fast": (41,), "strange-pace": (42,)}
    assert not frames.in_pace(budgets[:40], ALPHABET, 16000)
    assert not frames.in_pace([], ALPHABET, 16000)
