"""ARPA files: read as they come, and named where they are something else."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from ctcasr.text import ArpaError, NGram, train_ngram
from ctcasr.text.arpa import UNKNOWN, is_kenlm_binary, read_arpa

MODEL = train_ngram([["lay", "blue"], ["lay", "red"], ["set", "blue"]], 2).model


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    return MODEL.write(tmp_path / "lm.arpa")


def test_a_packed_file_is_read_whatever_its_name(arpa: Path) -> None:
    plain = NGram.read(arpa)
    for name in ("lm.arpa.gz", "packed"):
        packed = arpa.with_name(name)
        packed.write_bytes(gzip.compress(arpa.read_bytes()))
        assert NGram.read(packed) == plain


def test_a_cut_gzip_file_is_named(arpa: Path) -> None:
    packed = arpa.with_name("lm.arpa.gz")
    packed.write_bytes(gzip.compress(arpa.read_bytes())[:-12])
    with pytest.raises(ArpaError, match=r"lm\.arpa\.gz: expected"):
        NGram.read(packed)


@pytest.mark.parametrize("spelling", ["<UNK>", "<Unk>", "<unk>"])
def test_the_unknown_word_is_known_in_whatever_case(arpa: Path, spelling: str) -> None:
    text = arpa.read_text(encoding="utf-8").replace("<unk>", spelling)
    arpa.write_text(text.replace("<s>", "<S>").replace("</s>", "</S>"), encoding="utf-8")
    model = NGram.read(arpa)
    assert model.knows_unknown and (UNKNOWN,) in model.grams
    assert model.score(["lay", "never"]) == pytest.approx(MODEL.score(["lay", "never"]), rel=1e-5)


def test_a_byte_order_mark_and_words_before_the_data_are_passed_over(arpa: Path) -> None:
    plain = NGram.read(arpa)
    arpa.write_bytes(b"\xef\xbb\xbfmade by hand\n\n" + arpa.read_bytes())
    assert NGram.read(arpa) == plain


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"mmap lm http://kheafield.com/code format version 5\n\0rest", "binary file of KenLM"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"PK\x03\x04", "zip"),
        ("\\data\\\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ArpaError, match=rf"model\.bin: expected an ARPA file.*{what}"):
        NGram.read(path)
    assert is_kenlm_binary(path) is (what == "binary file of KenLM")


def test_another_encoding_is_named_with_its_line(arpa: Path) -> None:
    text = arpa.read_text(encoding="utf-8").replace("blue", "bl\u00fce")
    arpa.write_bytes(text.encode("latin-1"))
    with pytest.raises(ArpaError, match=r"lm\.arpa:\d+: expected UTF-8.*iconv"):
        NGram.read(arpa)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ngram 1=", "ngram one=", "expected as 'ngram 1=1234'"),
        ("\\2-grams:", "\\3-grams:", "an order that the header names"),
        ("\\2-grams:", "\\two-grams:", "an order that the header names"),
        ("\tlay blue", "\tlay", "2 words"),
        ("\tlay red", "\tlay blue", "each n-gram once"),
    ],
)
def test_a_wrong_line_is_named(arpa: Path, old: str, new: str, told: str) -> None:
    text = arpa.read_text(encoding="utf-8")
    assert old in text
    arpa.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ArpaError, match=rf"lm\.arpa:\d+: .*{told}"):
        NGram.read(arpa)


@pytest.mark.parametrize("number", ["nan", "0.5", "-0.1\ta\tinf", "-0.1\ta\tnan"])
def test_numbers_that_are_no_log_probabilities_are_named(tmp_path: Path, number: str) -> None:
    path = tmp_path / "lm.arpa"
    line = number if "\t" in number else f"{number}\ta"
    path.write_text(f"\\data\\\nngram 1=1\n\n\\1-grams:\n{line}\n\n\\end\\\n")
    with pytest.raises(ArpaError, match=r"lm\.arpa:5: expected a log10 probability"):
        NGram.read(path)


def test_damaged_files_are_read_or_named(arpa: Path) -> None:
    content = arpa.read_bytes()
    draw = random.Random(0)
    for _ in range(500):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 6)):
            place = draw.randrange(len(damaged))
            damaged[place : place + draw.randint(0, 3)] = draw.randbytes(draw.randint(0, 3))
        arpa.write_bytes(damaged)
        try:
            order, grams = read_arpa(arpa)
        except ArpaError as error:
            assert "lm.arpa" in str(error)
        else:
            assert order >= 1 and all(len(gram) <= order for gram in grams)
