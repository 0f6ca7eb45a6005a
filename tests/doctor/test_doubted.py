"""Words that were not said as they are written are named by line."""

from __future__ import annotations

from pathlib import Path

import soundfile

from ctcasr.batch import Utterance
from ctcasr.data import write_manifest
from ctcasr.doctor.examination import Examination, examine
from ctcasr.doctor.finding import Finding
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec
from ctcasr.text import Alphabet
from tests.word_times.tones import RATE, say

LINES = 40


def examined(
    folder: Path,
    spoilt: int | None = None,
    *,
    rare: bool = False,
    sample: int | None = None,
    net: str = "default layers=1 hidden=16",
) -> Examination:
    """Sentences of words made of tones; of one of them a word is another one."""
    lines = []
    for seed in range(LINES):
        said = say(seed)
        path = folder / f"{seed}.wav"
        soundfile.write(path, said.samples.numpy(), RATE)
        words = list(said.words)
        if seed == spoilt:
            words[1] = words[0]
        if rare:
            words = [f"{word}{number}{seed}" for number, word in enumerate(words)]
        lines.append(Utterance(path, text=" ".join(words), duration=len(said.samples) / RATE))
    write_manifest(folder / "lines.jsonl", lines)
    tokenizer = Alphabet.english38()
    model = build(read_spec(net), tokenizer.size)
    return examine(folder / "lines.jsonl", model, tokenizer, sample=sample, doubt=True)


def found(result: Examination) -> dict[str, Finding]:
    return {finding.slug: finding for finding in result.findings}


def test_the_line_with_a_word_that_was_not_said_is_named(tmp_path: Path) -> None:
    finding = found(examined(tmp_path, spoilt=7))["doubted-words"]
    assert finding.lines == (8,)
    assert finding.figures["differences"] == 1 and finding.figures["words"] == 4 * LINES
    assert finding.severity == "warning"  # one word of 160
    assert ":8" in finding.message


def test_right_texts_are_not_doubted(tmp_path: Path) -> None:
    slugs = set(found(examined(tmp_path)))
    assert not slugs & {"doubted-words", "words-not-doubted"}


def test_where_words_are_seldom_written_it_is_said_that_none_was_doubted(tmp_path: Path) -> None:
    assert found(examined(tmp_path, rare=True))["words-not-doubted"].severity == "note"


def test_only_what_was_decoded_is_doubted(tmp_path: Path) -> None:
    finding = found(examined(tmp_path, spoilt=7, sample=0))["words-not-doubted"]
    assert "0 lines that were decoded" in finding.message


def test_sound_is_heard_where_a_network_sees(tmp_path: Path) -> None:
    finding = found(examined(tmp_path, spoilt=7, net="lips"))["doubted-words"]
    assert finding.lines == (8,)
