"""Texts are written by the same flags everywhere."""

from __future__ import annotations

import argparse

import pytest

from ctcasr.commands.text_flags import add_text_flags


def test_texts_are_written_as_they_stand_unless_asked():
    parser = argparse.ArgumentParser()
    add_text_flags(parser)
    plain = parser.parse_args([])
    assert (plain.text, plain.digits) == ("english38", "keep")
    asked = parser.parse_args(["--text", "pieces:64", "--digits", "spell"])
    assert (asked.text, asked.digits) == ("pieces:64", "spell")
    with pytest.raises(SystemExit):
        parser.parse_args(["--digits", "words"])
