from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.export.recognise import export_onnx_recogniser
from ctcasr.recognise import Ensemble
from ctcasr.recognise.long import transcribe_long
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.word_models_fit import add_word_models
from tests.word_times.tones import RATE, say

TEXTS = ("ab", "ba cab", "c", "a b c")


def corpus(folder: Path) -> list[Utterance]:
    """Tones with texts that an untrained network does not write."""
    utterances = []
    for seed in range(6):
        path = folder / f"{seed}.wav"
        soundfile.write(path, say(seed).samples.numpy(), RATE)
        utterances.append(Utterance(path, text=TEXTS[seed % len(TEXTS)]))
    return utterances


def test_a_checkpoint_keeps_what_was_learnt_about_words(saved: Path, tmp_path: Path) -> None:
    utterances = corpus(tmp_path)
    before = Recogniser.load_checkpoint(saved)
    assert before.word_models.aligner is None  # as every checkpoint of before
    taught = add_word_models(saved, utterances, utterances)
    after = Recogniser.load_checkpoint(saved)
    assert taught.word_models.aligner is not None
    assert after.word_models.aligner is not None
    path = utterances[0].audio_filepath
    (old,) = before.transcribe(path)
    (new,) = after.transcribe(path)
    assert (new.text, new.tokens, new.score) == (old.text, old.tokens, old.score)
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    assert after.rate_hz == 8000
    assert new == after.transcribe(samples, RATE)[0]


def test_long_recordings_and_ensembles_have_these_times(saved: Path, tmp_path: Path) -> None:
    utterances = corpus(tmp_path)
    add_word_models(saved, utterances, [])
    made = Recogniser.load_checkpoint(saved)
    path = utterances[1].audio_filepath
    (alone,) = made.transcribe(path)
    (together,) = Ensemble([made]).transcribe(path)
    assert together.words == alone.words
    assert transcribe_long(made, path).words == alone.words


def test_an_exported_file_has_them_too(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    utterances = corpus(tmp_path)
    add_word_models(saved, utterances, [])
    made = Recogniser.load_checkpoint(saved)
    exported = tmp_path / "best.onnx"
    export_onnx_recogniser(made, exported)
    path = utterances[2].audio_filepath
    words = Recogniser.load(exported).transcribe(path)[0].words
    assert words == made.transcribe(path)[0].words
