"""Decoding flags: what they make, and which want others."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from ctcasr.commands.decoder_flags import (
    add_decoder_flags,
    decoder_from,
    lexicon_from,
    recogniser_from,
)
from ctcasr.commands.device_flag import add_device_flag
from ctcasr.decoding.commands import Commands
from ctcasr.decoding.decoder import BeamDecoder
from ctcasr.recognise import Ensemble, Recogniser
from ctcasr.text import Alphabet

ALPHABET = Alphabet.english38()


def parsed(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    add_device_flag(parser)
    add_decoder_flags(parser)
    return parser.parse_args(flags)


def test_greedy_without_a_beam_and_a_decoder_with_one() -> None:
    assert decoder_from(parsed("x.pt"), ALPHABET) is None
    assert decoder_from(parsed("x.pt", "--beam", "4"), ALPHABET) is not None


@pytest.mark.parametrize("flag", ["--lm", "--lexicon", "--hotwords"])
def test_some_flags_want_a_beam(flag: str) -> None:
    with pytest.raises(ValueError, match=f"{flag}: expected --beam N"):
        decoder_from(parsed("x.pt", flag, "something"), ALPHABET)


def test_the_words_of_the_model_want_a_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--lexicon lm: expected --lm FILE\.arpa"):
        lexicon_from("lm", None, ALPHABET)
    (tmp_path / "words.txt").write_text("one\ntwo\n", encoding="utf-8")
    lexicon = lexicon_from(str(tmp_path / "words.txt"), None, ALPHABET)
    assert lexicon is not None and set(lexicon.words) == {"one", "two"}
    assert lexicon_from(None, None, ALPHABET) is None


def test_an_ensemble_is_one_of_several(recogniser: Path) -> None:
    assert isinstance(recogniser_from(parsed(str(recogniser))), Recogniser)
    both = recogniser_from(parsed(str(recogniser), "--ensemble", str(recogniser)))
    assert isinstance(both, Ensemble)


def test_one_network_at_several_speeds_is_an_ensemble(recogniser: Path) -> None:
    together = recogniser_from(parsed(str(recogniser), "--speeds", "0.9,1,1.1"))
    assert isinstance(together, Ensemble) and len(together.members) == 3
    both = parsed(str(recogniser), "--speeds", "0.9,1,1.1", "--ensemble", str(recogniser))
    several = recogniser_from(both)
    assert isinstance(several, Ensemble) and (len(several.members), several.speeds) == (6, 3)


def test_a_recogniser_of_given_sentences_still_writes_only_these(
    recogniser: Path, tmp_path: Path
) -> None:
    payload = torch.load(recogniser, weights_only=True)
    payload["commands"] = Commands("ab\nba").to_state()
    taught = str(tmp_path / "taught.pt")
    torch.save(payload, taught)
    slower = recogniser_from(parsed(taught, "--speeds", "0.9,1"))
    assert isinstance(slower, Recogniser)
    assert slower.commands == Commands("ab\nba", speeds=(0.9, 1.0))
    searching = recogniser_from(parsed(taught, "--speeds", "0.9,1", "--beam", "4"))
    assert isinstance(searching, Ensemble)


@pytest.mark.parametrize("speeds", ["fast", "1,,2", "0", "1,9"])
def test_speeds_that_are_none_are_refused(recogniser: Path, speeds: str) -> None:
    with pytest.raises(ValueError, match=r"expected (factors as|a factor within)"):
        recogniser_from(parsed(str(recogniser), "--speeds", speeds))
    with pytest.raises(ValueError, match="speed"):  # before anything is read
        recogniser_from(parsed("nowhere.pt", "--speeds", speeds))


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"--lm-weight: expected --lm FILE\.arpa with it"):
        decoder_from(parsed("x.pt", "--beam", "4", "--lm-weight", "2"), ALPHABET)
    with pytest.raises(ValueError, match="--hotword-bonus: expected --hotwords with it"):
        decoder_from(parsed("x.pt", "--beam", "4", "--hotword-bonus", "2"), ALPHABET)
    with pytest.raises(ValueError, match=r"--lm-weight: expected --lm FILE\.arpa with it"):
        decoder_from(parsed("x.pt", "--lm-weight", "2"), ALPHABET)
    with pytest.raises(ValueError, match="--hotword-bonus: expected --hotwords with it"):
        decoder_from(parsed("x.pt", "--hotword-bonus", "2"), ALPHABET)


@pytest.mark.parametrize("flag", ["--word-bonus", "--skip-blank"])
def test_settings_of_a_search_want_one(flag: str) -> None:
    with pytest.raises(ValueError, match=f"{flag}: expected --beam N"):
        decoder_from(parsed("x.pt", flag, "0.5"), ALPHABET)


@pytest.mark.parametrize("several", [["--speeds", "0.9,1"], ["--ensemble", "y.pt"]])
@pytest.mark.parametrize(
    ("beam", "nbest", "wanted"), [(4, 1, 4), (4, 3, 4), (16, 1, 8), (16, 9, 9)]
)
def test_several_networks_are_asked_for_what_the_beam_has(
    several: list[str], beam: int, nbest: int, wanted: int
) -> None:
    decoder = decoder_from(parsed("x.pt", "--beam", str(beam), *several), ALPHABET, nbest)
    assert isinstance(decoder, BeamDecoder) and decoder.search.nbest == wanted


def test_an_ensemble_that_forgets_its_sentences_is_told_of(
    recogniser: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    payload = torch.load(recogniser, weights_only=True)
    payload["commands"] = Commands("ab\nba").to_state()
    taught = str(tmp_path / "taught.pt")
    torch.save(payload, taught)
    recogniser_from(parsed(taught, "--ensemble", str(recogniser), "--beam", "4"))
    assert not recwarn.list
    with pytest.warns(UserWarning, match="recogniser of given sentences writes whatever"):
        recogniser_from(parsed(str(recogniser), "--ensemble", taught))
