"""What recognisers read: sound of most, lips of some; errors that name what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.audit.heard import listen
from ctcasr.batch import Utterance
from ctcasr.cli import main
from ctcasr.data import AudioError, read_manifest
from ctcasr.enhance.model import DualPathEnhancer, build_enhancer
from ctcasr.enhance.spec import read_enhancer
from ctcasr.recognise import evaluate
from ctcasr.recognise.evaluation import examine
from ctcasr.recognise.model import build
from ctcasr.recognise.reading import lips_of, read_clip, reader_of
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_from, spec_to
from ctcasr.recognise.stream import obstacles
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from ctcasr.video import LipReader

LIPS = read_spec("lips hidden=8 layers=1")


def lip_reader() -> Recogniser:
    torch.manual_seed(0)
    alphabet = Alphabet.english38()
    return Recogniser(build(LIPS, alphabet.size), alphabet, spec_to(LIPS), {})


def test_only_a_network_that_sees_has_a_reader_of_lips() -> None:
    assert isinstance(reader_of(LIPS), LipReader)
    assert reader_of(read_spec("default")) is None
    assert spec_from(spec_to(LIPS)) == LIPS
    assert "lips" not in spec_to(read_spec("default"))


def test_a_frame_of_logits_for_each_frame_of_video() -> None:
    recogniser = lip_reader()
    clips = [torch.randint(0, 256, (count, 28, 40), dtype=torch.uint8) for count in (30, 75)]
    hypotheses = recogniser.transcribe(clips)
    assert len(hypotheses) == 2
    assert recogniser.model.frames(75) == 75
    assert recogniser.frame_s == pytest.approx(0.04)
    assert all(word.end_s <= 3.0 for word in hypotheses[1].words)


def test_frames_of_another_kind_are_refused() -> None:
    recogniser = lip_reader()
    with pytest.raises(AudioError, match="28, 40"):
        recogniser.transcribe(torch.zeros(5, 30, 40, dtype=torch.uint8))
    with pytest.raises(AudioError, match="uint8"):
        recogniser.transcribe(torch.zeros(5, 28, 40))
    with pytest.raises(AudioError, match=r"gone\.mp4"):
        list(lips_of("gone.mp4", LIPS.lips))
    with pytest.raises(AudioError, match="the line has none"):
        read_clip(LIPS, Utterance(Path("a.wav")), 25)


def test_lips_are_no_stream_and_need_their_own_clock() -> None:
    assert "lips" in obstacles(lip_reader().model)[0]
    with pytest.raises(ValueError, match=r"front\.rate_hz = 25"):
        build(read_spec("lips front.rate_hz=16000"), 38)


def test_real_lips_are_scored_as_sound_is(data_root: Path) -> None:
    lines = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:2]
    blind = Utterance(lines[0].audio_filepath, text="bin")
    recogniser = lip_reader()
    result = evaluate(recogniser, [*lines, blind])
    assert len(result.rows) == 2
    assert "video" in result.skipped[0].reason
    drawn = examine(recogniser, lines[0])
    assert drawn["features"].shape == (75, 28)  # rows' means: no face


def test_the_published_trunk_reads_lips_too() -> None:
    spec = read_spec("lips hidden=8 layers=1 lips.convs=1 lips.features=256")
    recogniser = Recogniser(build(spec, 38), Alphabet.english38(), spec_to(spec), {})
    trunk = recogniser.model.body.conv
    published = build_enhancer(read_enhancer("avse_lstm8")).eval()
    assert isinstance(published, DualPathEnhancer) and published.trunk is not None
    theirs = {name: tensor.shape for name, tensor in published.trunk.state_dict().items()}
    assert {name: tensor.shape for name, tensor in trunk.state_dict().items()} == theirs
    clip = torch.randint(0, 256, (30, 28, 40), dtype=torch.uint8)
    with torch.no_grad():
        seen = published.see(Seq.stack([clip], 25))
        published.trunk.load_state_dict(trunk.state_dict())
        read = trunk(recogniser.model.front(Seq.stack([clip], 25)))
        torch.testing.assert_close(published.see(Seq.stack([clip], 25)).data, read.data)
    assert not torch.equal(seen.data, read.data)


def test_lips_are_transcribed_audited_and_not_exported(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recogniser = lip_reader()
    payload = Recogniser.payload(recogniser.model, recogniser.spec, recogniser.tokenizer, {})
    saved = str(checkpoint.save(tmp_path / "lips.pt", payload))
    line = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[0]
    assert main(["transcribe", saved, str(line.video_filepath), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration"] == pytest.approx(3.0)
    video = str(line.video_filepath)
    assert main(["transcribe", saved, video, "--json", "--ensemble", saved]) == 0
    assert json.loads(capsys.readouterr().out)["duration"] == pytest.approx(3.0)
    assert main(["transcribe", saved, video, "--speeds", "0.9,1"]) == 1
    assert "this one reads lips" in capsys.readouterr().err
    heard, skipped = listen(recogniser, [line])
    assert len(heard) == 1 and not skipped
    assert main(["export", saved, "--to", "onnx", "--out", str(tmp_path / "onnx")]) == 1
    assert "reads lips" in capsys.readouterr().err
