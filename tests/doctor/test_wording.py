"""Texts that are unlike the others."""

from __future__ import annotations

from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.doctor.listen import Sound
from ctcasr.doctor.wording import odd_wording

COLOURS = ("red", "blue", "green", "white")
DIGITS = ("one", "two", "three", "four", "five")


def found(odd: str) -> dict[str, tuple[int, ...]]:
    """What is told of a closed grammar with one odd text, on line 7."""
    texts = [f"lay {COLOURS[n % 4]} at {DIGITS[n % 5]} now" for n in range(60)]
    texts[6] = odd
    sounds = []
    for line, text in enumerate(texts, start=1):
        sounds.append(Sound(Utterance(Path(f"{line}.wav"), text=text, where=f"m:{line}")))
    return {finding.slug: finding.lines for finding in odd_wording(sounds, str.lower)}


def test_texts_of_the_grammar_are_no_finding() -> None:
    assert not found("lay red at two now")


def test_lost_swapped_and_unknown_words() -> None:
    for odd in ("lay at two now", "lay at red two now", "yal der ta owt won"):
        assert found(odd)["odd-wording"] == (7,), odd


def test_what_is_said_twice_and_what_has_lost_its_spaces() -> None:
    assert found("lay red lay red")["text-twice"] == (7,)
    assert found("layredattwonowandthen")["odd-letters"] == (7,)


def test_few_texts_are_not_compared() -> None:
    sound = Sound(Utterance(Path("a.wav"), text="a b a b", where="m:1"))
    assert not odd_wording([sound] * 5, str.lower)
