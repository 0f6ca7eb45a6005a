"""Markdown: what is known is shown, what is not is said to be."""

from __future__ import annotations

from ctcasr.card import Options, find_subject, make_card, markdown


def test_every_block_is_there_and_nothing_is_an_object() -> None:
    card = make_card(find_subject("mask_tiny"), Options(clip_s=0.2, runs=1, command=["ctcasr"]))
    text = markdown(card)
    for title in ("Size", "Computation", "Latency", "Memory", "Training", "Hardware", "Command"):
        assert f"## {title}" in text
    assert "{" not in text and "<" not in text and "None" not in text


def test_what_is_not_known_is_unknown() -> None:
    card = make_card(find_subject("mask_tiny"), Options(clip_s=0.2, runs=1))
    card["memory"]["loaded_bytes"] = None
    card["hardware"]["memory_bytes"] = None
    text = markdown(card)
    assert "| process with the network loaded | unknown |" in text
    assert "| memory_bytes | unknown |" in text and "## Command" not in text
