"""The recipe of lip readers for a step or two, on pictures that stand for mouths."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from ctcasr.cli import main
from ctcasr.recognise.ensemble import Ensemble
from ctcasr.recognise.recogniser import Recogniser
from tools._decode import run_network

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")


def film(path: Path, seed: int) -> None:
    """Thirty frames of 64 x 40 with a spot that opens and closes."""
    draw = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 40, "yuv420p"
        for _ in range(30):
            picture = np.full((40, 64, 3), 120, np.uint8)
            picture[14 : 16 + int(draw.integers(0, 12)), 20:40] = 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight clips without any sound."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "recipes"))
    lines = []
    for number in range(8):
        film(tmp_path / f"v{number}.mp4", number)
        line = {"audio_filepath": f"v{number}.wav", "video_filepath": f"v{number}.mp4"}
        lines.append(json.dumps({**line, "duration": 1.2, "text": "ab"[number % 2]}))
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_lips_are_learnt_scored_drawn_and_judged(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lips = importlib.import_module("lips")
    monkeypatch.setattr(lips.recognise, "DRAWN", 0)  # pictures take a while
    manifest = str(corpus / "train.jsonl")
    net = "lips hidden=8 layers=1 lips.channels=[4,6] lips.features=8"
    how = ["--net", net, "--epochs", "2", "--batch-size", "4", "--augment-from", "0"]
    run = corpus / "run"
    lips.main(["--train", manifest, "--valid", manifest, "--out", str(run), *how])
    told = capsys.readouterr().out
    assert "valid: WER" in told and "verdict" in told
    assert "nothing tells when words are said" in told, "there is no sound"
    assert Recogniser.load_checkpoint(run / "best.pt").model.sees
    assert len(list((run / "mouths").glob("*.npy"))) == 8
    twice = f"{run / 'best.pt'},{run / 'best.pt'}"
    evaluated = ["evaluate", str(run / "best.pt"), manifest, "--out", str(corpus / "scores")]
    assert main([*evaluated, "--ensemble", twice]) == 0, "networks that see may vote, too"
    logits = run_network(Ensemble.read(str(run / "best.pt"), None), manifest)
    assert logits.utterances == 8
    scores = json.loads((run / "valid" / "scores.json").read_text())
    assert not scores["skipped"], "no sound is asked for"
    records = [json.loads(line) for line in (run / "records.jsonl").open()]
    causes = {cause["slug"] for record in records for cause in record.get("causes", ())}
    assert not causes & {"silent-audio", "silence", "constant-audio"}
    assert main(["doctor", "--run", str(run)]) == 0
    assert (run / "doctor.html").is_file()


def test_a_network_that_hears_is_sent_to_its_own_recipe(corpus: Path) -> None:
    lips = importlib.import_module("lips")
    with pytest.raises(ValueError, match="a network that sees"):
        lips.main(["--train", str(corpus / "train.jsonl"), "--net", "default"])


@pytest.mark.parametrize(
    "flags",
    [
        ["--rooms", "r.jsonl"],
        ["--noise", "n.jsonl"],
        ["--star", "1,1"],
        ["--hiss", "0,9"],
        ["--doubt"],
    ],
)
def test_what_is_done_to_sound_is_refused(corpus: Path, flags: list[str]) -> None:
    lips = importlib.import_module("lips")
    with pytest.raises(ValueError, match=f"{flags[0]} is for sound"):
        lips.main(["--train", str(corpus / "train.jsonl"), *flags])
