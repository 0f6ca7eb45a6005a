"""What an untrained recogniser hears in sound files."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.audit import listen
from ctcasr.batch import Utterance
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from tests.recognise.helpers import ALPHABET, RATE, SMALL, network, noise


@pytest.fixture
def recogniser() -> Recogniser:
    return Recogniser(network(), ALPHABET, spec_to(SMALL), {})


def line(folder: Path, name: str, samples: int, text: str | None) -> Utterance:
    path = folder / f"{name}.wav"
    soundfile.write(path, noise(samples, seed=samples).numpy(), RATE)
    return Utterance(path, text=text, where=f"m.jsonl:{name}")


def test_each_line_is_heard_in_its_order_whatever_its_length(recogniser, tmp_path):
    lines = [line(tmp_path, "1", 9000, "a"), line(tmp_path, "2", 3000, "B c!")]
    heard, skipped = listen(recogniser, lines)
    assert [one.utterance for one in heard] == lines and skipped == []
    assert heard[1].text == "b c" and heard[1].words == ["b", "c"]
    for one, samples in zip(heard, (9000, 3000), strict=True):
        clip = torch.from_numpy(soundfile.read(one.utterance.audio_filepath)[0]).float()
        alone = recogniser.logits(Seq.stack([clip], RATE)).row(0).log_softmax(1)
        torch.testing.assert_close(one.log_probs, alone, atol=1e-3, rtol=1e-3)
        assert len(one.blank) == len(one.log_probs) == recogniser.model.frames(samples)


def test_what_cannot_be_judged_is_named(recogniser, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    lines = [
        line(tmp_path, "1", 9000, "a"),
        Utterance(tmp_path / "broken.wav", text="a", where="m.jsonl:2"),
        line(tmp_path, "3", 9000, None),
        line(tmp_path, "4", 9000, " "),
        line(tmp_path, "5", 0, "a"),
    ]
    heard, skipped = listen(recogniser, lines)
    assert [one.utterance.where for one in heard] == ["m.jsonl:1"]
    assert [skip.where for skip in skipped] == ["m.jsonl:2", "m.jsonl:3", "m.jsonl:4", "m.jsonl:5"]
    assert "expected a text" in skipped[1].reason


def test_a_network_that_gives_nan_judges_nothing(recogniser, tmp_path):
    with torch.no_grad():
        next(iter(recogniser.model.parameters())).fill_(torch.nan)
    heard, skipped = listen(recogniser, [line(tmp_path, "1", 9000, "a")])
    assert heard == [] and "NaN" in skipped[0].reason
