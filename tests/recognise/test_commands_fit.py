from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.data import Corpus, SentenceTexts, SpokenCorpus
from ctcasr.decoding.commands import Commands
from ctcasr.decoding.decoder import decoded_rows
from ctcasr.export.recognise import export_onnx_recogniser
from ctcasr.recognise import commands_fit
from ctcasr.recognise.commands_fit import (
    add_times,
    items_of,
    join_real,
    pieces_of,
    teach_commands,
)
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.text import Alphabet
from ctcasr.word_times.word_models import WordModels
from tests.recognise.helpers import noise

SENTENCES = "a cab\nba"


def test_a_taught_recogniser_writes_its_sentences_or_nothing(saved: Path, tmp_path: Path) -> None:
    sentences = tmp_path / "sentences.txt"
    sentences.write_text(SENTENCES, encoding="utf-8")
    clips = [noise(8000, seed) for seed in range(6)]
    taught = teach_commands(saved, sentences, clips[:3], clips[3:], false_acceptance=0.0)
    assert taught.falsely_accepted == 0.0
    made = Recogniser.load_checkpoint(saved)
    texts = {heard.text for heard in made.transcribe(clips, 8000)}
    assert texts <= {"", "a cab", "ba"}
    assert all(not heard.text for heard in made.transcribe(clips[3:], 8000))


def test_an_exported_file_understands_the_same(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = Recogniser.load_checkpoint(saved)
    made.understand(Commands(SENTENCES, speeds=(0.9, 1.0, 1.1)))
    exported = Recogniser.load(export_onnx_recogniser(made, tmp_path / "best.onnx"))
    clips = [noise(8000, seed) for seed in range(3)]
    texts = [heard.text for heard in made.transcribe(clips, 8000)]
    assert [heard.text for heard in exported.transcribe(clips, 8000)] == texts
    assert set(texts) <= {"", "a cab", "ba"}
    assert exported.commands == made.commands


def test_untaught_recognisers_decode_as_ever(saved: Path) -> None:
    made = Recogniser.load_checkpoint(saved)
    assert made.commands is None
    greedily = made.transcribe(noise(8000), 8000, decoder=lambda logits: decoded_rows(logits, 0))
    assert made.transcribe(noise(8000), 8000)[0].text == greedily[0].text


def test_times_are_learnt_from_what_is_said(saved: Path) -> None:
    pytest.importorskip("espeakng_loader")
    texts = SentenceTexts(lambda draw: draw.choice(["a cab", "ba"]))
    corpus = SpokenCorpus(texts, None, 8000, 0.002, words=(1, 2), fixed=True)
    add_times(saved, corpus, 5)
    models: WordModels = Recogniser.load_checkpoint(saved).word_models
    assert models.aligner is not None
    item = items_of(corpus, 1)[0]
    words = (item.utterance.text or "").split()
    assert models.aligner.times(item.samples, words) is not None


def test_pieces_have_one_length() -> None:
    pieces = pieces_of([torch.ones(10), torch.ones(3)], 5)
    assert [len(piece) for piece in pieces] == [5, 5]


@pytest.mark.parametrize(("own", "others"), [(5, 0), (0, 4), (5, 34), (5, 2), (5, 1000)])
def test_real_speech_has_its_share_and_each_part_half_of_it(
    own: int, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_they_are(utterances: tuple[Utterance, ...], *args: Any) -> Corpus:
        return Corpus(utterances, None, 8000)

    def clips(name: str, minutes: int) -> list[Utterance]:
        return [Utterance(Path(f"{name}{k}.wav"), duration=3.0) for k in range(20 * minutes)]

    monkeypatch.setattr(commands_fit, "spliced_corpus", as_they_are)
    spoken = SpokenCorpus(SentenceTexts(lambda draw: "a b"), None, 8000, hours=0.5, words=(2, 2))
    given = (clips("own", own), clips("other", others))
    joined, selecting = join_real(spoken, *given, Alphabet.english38(), 0.6, frame_s=0.04)
    _, real = joined.corpora
    names = [clip.audio_filepath.name[:3] for clip in real.utterances]
    heard = {name: names.count(name) / 20 for name in set(names)}  # minutes
    wanted = 0.6 / 0.4 * spoken.seconds / 60
    if others == 1000:
        assert real.seconds / 60 == pytest.approx(3 * wanted, rel=0.15)
    elif joined.repeats[1] > 1:
        assert joined.repeats[1] * real.seconds / 60 == pytest.approx(wanted, rel=0.3)
    if own and others > own:
        assert heard["own"] == pytest.approx(heard["oth"], rel=0.3)
    selects = {clip.audio_filepath.name[:3] for clip in selecting.utterances}
    assert selects == ({"oth"} if others else {"own"})  # few minutes of one's own are all learnt
    learnt_paths = {clip.audio_filepath for clip in real.utterances}
    assert not learnt_paths & {clip.audio_filepath for clip in selecting.utterances}
