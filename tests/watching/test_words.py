"""Cures are told in torch's words, each verdict once."""

from __future__ import annotations

from ctcasr.diagnose import Cause, Verdict
from ctcasr.watching.words import BLIND_AFTER, CURES, Teller, for_a_stranger


def trouble(slug: str = "learning-rate-zero", cure: str = "ours") -> Verdict:
    cause = Cause(slug=slug, confidence=0.9, evidence="The rate is 0.", cure=cure, step=20)
    last_word = ("It does not learn.", f"What to do: {cure}", "Sure.")
    return Verdict("trouble", 20, causes=(cause,), last_word=last_word)


def test_cures_speak_of_arguments_that_torch_and_frameworks_have() -> None:
    told = for_a_stranger(trouble())
    assert told.causes[0].cure == CURES["learning-rate-zero"]
    assert told.last_word[1] == f"What to do: {CURES['learning-rate-zero']}"
    assert for_a_stranger(trouble("over-peaky")).causes[0].cure == "ours"


def test_every_cure_belongs_to_a_cause_that_exists() -> None:
    from pathlib import Path

    causes = (Path(__file__).parents[2] / "docs" / "causes.md").read_text(encoding="utf-8")
    assert [slug for slug in CURES if f"`{slug}`" not in causes] == []


def test_a_verdict_is_said_once() -> None:
    said: list[str] = []
    teller = Teller(said.append)
    for _ in range(3):
        teller.tell(trouble(), 12.0)
    assert len(said) == 1
    assert "learning-rate-zero" in said[0] and "12.0 nats" in said[0]
    teller.tell(Verdict("learning", 30), 6.0)
    assert len(said) == 2


def test_blindness_is_said_once_and_only_where_it_is_true() -> None:
    said: list[str] = []
    teller = Teller(said.append)
    teller.tell_if_blind(BLIND_AFTER - 1, 0)
    teller.tell_if_blind(BLIND_AFTER, 1)
    assert said == []
    for _ in range(2):
        teller.tell_if_blind(BLIND_AFTER, 0)
    assert len(said) == 1
    Teller(None).tell_if_blind(BLIND_AFTER, 0)
