"""Decoders on logits that nearly spell a text: words decide what the sound leaves open."""

from __future__ import annotations

import argparse
import math
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ctcasr.commands.decoder_flags import add_decoder_flags, decoder_from
from ctcasr.ctc import greedy
from ctcasr.decoding.decoder import FlashlightDecoder, beam_decoder
from ctcasr.recognise.samples import greedy_texts
from ctcasr.seq import Seq
from ctcasr.text import Alphabet, Lexicon, train_ngram
from tests.fixtures.peers import torchaudio_module

ABC = Alphabet.english38()
MODEL = train_ngram([["lay", "red"], ["lay", "blue"], ["set", "red"]] * 3, 2).model


def heard(text: str, unsure: dict[int, str], seed: int = 0) -> Seq:
    """Logits of `text`, a symbol every other frame; at places in `unsure` another is likelier."""
    tokens = ABC.encode(text)
    logits = 0.1 * torch.randn(
        1, 2 * len(tokens) + 1, ABC.size, generator=torch.Generator().manual_seed(seed)
    )
    logits[0, 0::2, 0] += 8.0
    for place, token in enumerate(tokens):
        logits[0, 2 * place + 1, token] += 8.0
    for place, char in unsure.items():
        logits[0, 2 * place + 1, ABC.encode(f"a{char}")[-1]] += 8.5
    return Seq(logits, (logits.shape[1],), Fraction(25))


def text(rows: list) -> str:  # type: ignore[type-arg]
    return ABC.decode(rows[0][0].tokens)


UNSURE = heard("lay red", {5: "a"})  # sounds like "lay rad"


def test_greedy_writes_what_it_hears_and_the_model_what_is_said() -> None:
    assert ABC.decode(greedy(UNSURE.data, UNSURE.lengths)[0].tokens) == "lay rad"
    assert text(beam_decoder(ABC)(UNSURE)) == "lay rad"
    assert text(beam_decoder(ABC, lm=MODEL, lm_weight=0.0)(UNSURE)) == "lay rad"
    assert text(beam_decoder(ABC, lm=MODEL)(UNSURE)) == "lay red"
    assert text(beam_decoder(ABC, lexicon=Lexicon.of(["lay", "red"], ABC))(UNSURE)) == "lay red"
    assert text(beam_decoder(ABC, hotwords=["red"])(UNSURE)) == "lay red"
    assert (
        text(beam_decoder(ABC, lm=MODEL, hotwords=["rad"], hotword_bonus=3.0)(UNSURE)) == "lay rad"
    )


LOUD = train_ngram([["LAY", "RED"], ["LAY", "BLUE"], ["SET", "RED"]] * 3, 2).model


@pytest.mark.parametrize("unknown", ["<unk>", "<UNK>", None])
def test_a_model_in_capitals_decides_as_one_in_small_letters(
    tmp_path: Path, unknown: str | None
) -> None:
    path = LOUD.write(tmp_path / "loud.arpa")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if unknown is None:
        count = sum(len(gram) == 1 for gram in LOUD.grams)
        lines = [line for line in lines if "<unk>" not in line]
        lines[1] = f"ngram 1={count - 1}\n"
    path.write_text("".join(lines).replace("<unk>", unknown or ""), encoding="utf-8")
    if unknown is None:
        with pytest.warns(UserWarning, match="loud.arpa: has no <unk>"):
            decoder = beam_decoder(ABC, lm=path)
    else:
        decoder = beam_decoder(ABC, lm=path)
    assert text(decoder(UNSURE)) == "lay red"
    for said in ("zyx", "lay zyx", "lay red zyx set blue"):
        assert text(decoder(heard(said, {}))) == said, "an unknown word does not empty a text"


def test_a_model_of_other_words_and_hotwords_that_cannot_be_written_are_refused() -> None:
    foreign = train_ngram([["жук", "дом"]], 2).model
    with pytest.raises(ValueError, match="cannot write 2 of 2"):
        beam_decoder(ABC, lm=foreign)
    with pytest.raises(ValueError, match=r"hotwords: .*'Café & Co' with '&'"):
        beam_decoder(ABC, hotwords=["lay", "Café & Co"])


def test_the_sum_that_orders_hypotheses() -> None:
    decoder = beam_decoder(ABC, lm=MODEL, lm_weight=0.8, word_bonus=0.4, nbest=5)
    found = decoder(UNSURE)[0]
    assert len(found) == 5 and [h.total for h in found] == sorted(
        (h.total for h in found), reverse=True
    )
    for h in found:
        words = ABC.decode(h.tokens).split()
        assert h.bonus == pytest.approx(0.8 * MODEL.score(words) + 0.4 * len(words))


def test_a_bonus_makes_more_words() -> None:
    open_space = heard("layred", {3: " "})
    few, many = (
        text(beam_decoder(ABC, word_bonus=bonus)(open_space)).count(" ") for bonus in (-8.0, 8.0)
    )
    assert few < many


def test_a_model_from_a_file_is_the_same(tmp_path: Path) -> None:
    path = MODEL.write(tmp_path / "lm.arpa")
    (one,), (other,) = beam_decoder(ABC, lm=MODEL)(UNSURE)[0], beam_decoder(ABC, lm=path)(UNSURE)[0]
    assert one.tokens == other.tokens and one.total == pytest.approx(other.total, abs=1e-5)


def test_flags(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_decoder_flags(parser)
    path = str(MODEL.write(tmp_path / "lm.arpa"))
    assert decoder_from(parser.parse_args([]), ABC) is None
    asked = [
        "--beam",
        "8",
        "--lm",
        path,
        "--lm-weight",
        "0.7",
        "--lexicon",
        "lm",
        "--hotwords",
        "red,blue",
    ]
    decoder = decoder_from(parser.parse_args(asked), ABC)
    assert decoder is not None and text(decoder(UNSURE)) == "lay red"
    with pytest.raises(ValueError, match="--lm: expected --beam"):
        decoder_from(parser.parse_args(["--lm", path]), ABC)
    with pytest.raises(ValueError, match="--lexicon lm: expected --lm"):
        decoder_from(parser.parse_args(["--beam", "8", "--lexicon", "lm"]), ABC)


def test_flashlight_agrees_with_ours(tmp_path: Path) -> None:
    pytest.importorskip("flashlight", reason="flashlight-text is not installed (extra lm)")
    pytest.importorskip("kenlm", reason="kenlm is not installed (extra lm)")
    path, lexicon = MODEL.write(tmp_path / "lm.arpa"), Lexicon.of(MODEL.words, ABC)
    for seed in range(5):
        sound = heard("set blue", {0: "l", 6: "a"}, seed)
        theirs = FlashlightDecoder(ABC, lexicon, 32, lm=path, lm_weight=0.6, word_bonus=0.2)(sound)[
            0
        ][0]
        ours = beam_decoder(ABC, 32, lm=path, lm_weight=0.6, word_bonus=0.2, lexicon=lexicon)(
            sound
        )[0][0]
        assert theirs.tokens == ours.tokens and theirs.frames == ours.frames
        assert theirs.total == pytest.approx(ours.total, abs=0.1)


def test_without_flashlight_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = torchaudio_module("torchaudio.models.decoder")
    for name in ("ctc_decoder", "_ctc_decoder"):
        monkeypatch.delitem(vars(decoder), name, raising=False)
    monkeypatch.setitem(sys.modules, "torchaudio.models.decoder._ctc_decoder", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[lm\]'"):
        FlashlightDecoder(ABC, Lexicon.of(["a"], ABC))


@pytest.mark.parametrize("module", [None, ModuleType("torchaudio")])
def test_where_torchaudio_does_not_load_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None
) -> None:
    for name in [name for name in sys.modules if name.startswith("torchaudio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchaudio", module)  # None: as if it were not there
    with pytest.raises(ImportError, match="a torchaudio that loads beside this torch"):
        FlashlightDecoder(ABC, Lexicon.of(["a"], ABC))


def test_logits_of_another_tokenizer_are_an_error_that_says_so() -> None:
    wide = Seq(torch.zeros(1, 5, ABC.size + 2), (5,), Fraction(25))
    narrow = Seq(torch.zeros(1, 5, ABC.size - 1), (5,), Fraction(25))
    for logits in (wide, narrow):
        told = rf"expected {ABC.size} scores a frame.*; got {logits.data.shape[2]}"
        with pytest.raises(ValueError, match=told):
            beam_decoder(ABC)(logits)
        with pytest.raises(ValueError, match=told):
            greedy_texts(logits, ABC)


def test_rows_without_frames_are_silent() -> None:
    empty = Seq(UNSURE.data, (0,), Fraction(25))
    (row,) = beam_decoder(ABC, lm=MODEL)(empty)
    assert row[0].tokens == () and row[0].score == 0.0 and math.isfinite(row[0].bonus)


@pytest.mark.parametrize("weight", ["lm_weight", "word_bonus", "hotword_bonus"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_are_finite(weight: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{weight}: expected a finite number; got"):
        beam_decoder(ABC, 4, lm=MODEL, hotwords=["red"], **{weight: value})
