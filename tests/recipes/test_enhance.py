"""The enhancement recipes for a few steps, on noise that stands for speech."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.data import Loader, fingerprint
from ctcasr.data.skipped import NothingScoredError
from ctcasr.enhance import Enhance
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer

RATE = 16000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight utterances, two noises, two scenes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "recipes"))
    draw = np.random.default_rng(0)
    lines: dict[str, list[dict[str, object]]] = {"train": [], "noise": [], "scenes": []}
    for k in range(8):
        tone = 0.2 * np.sin(2 * np.pi * (200 + 30 * k) * np.arange(RATE // 2) / RATE)
        soundfile.write(tmp_path / f"s{k}.wav", tone, RATE)
        lines["train"].append({"audio_filepath": f"s{k}.wav", "duration": 0.5, "text": "a"})
        if k < 2:
            soundfile.write(tmp_path / f"n{k}.wav", 0.1 * draw.standard_normal(RATE), RATE)
            lines["noise"].append(
                {"audio_filepath": f"n{k}.wav", "duration": 1.0, "label": f"noise{k}"}
            )
            soundfile.write(
                tmp_path / f"m{k}.wav", tone + 0.1 * draw.standard_normal(RATE // 2), RATE
            )
            lines["scenes"].append(
                {"audio_filepath": f"m{k}.wav", "duration": 0.5, "target_filepath": f"s{k}.wav"}
            )
    for name, rows in lines.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def flags(folder: Path, net: str, *more: str, noise: str = "noise.jsonl") -> list[str]:
    return [
        "--train",
        str(folder / "train.jsonl"),
        "--noise",
        str(folder / noise) if noise else "",
        "--valid",
        str(folder / "scenes.jsonl"),
        "--out",
        str(folder / "run"),
        "--net",
        net,
        "--epochs",
        "1",
        "--batch-size",
        "4",
        "--dev-share",
        "0.25",
        "--device",
        "cpu",
        *more,
    ]


def test_audio(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("enhance").main(flags(folder, "mask_tiny", "--unseen", "noise1"))
    figures = json.loads((folder / "run" / "valid.json").read_text())
    assert (
        figures["files"] == 2
        and figures["skipped"] == 0
        and "valid: SI-SDR" in capsys.readouterr().out
    )
    assert Enhancer.load(folder / "run" / "best.pt").notes["utterances"] == 6
    records = [
        json.loads(row) for row in (folder / "run" / "records.jsonl").read_text().splitlines()
    ]
    assert any(r["kind"] == "check" and "si_sdr_improvement" in r for r in records)


def test_scenes_that_lie_on_disk(folder: Path) -> None:
    lines = (folder / "scenes.jsonl").read_text()
    (folder / "train.jsonl").write_text(lines)
    enhance = importlib.import_module("enhance")
    how = flags(folder, "mask_tiny", "--dev-share", "0.5", noise="")
    enhance.main(how)
    heard = Enhancer.load(folder / "run" / "best.pt").notes["heard"]["files"]
    assert {fingerprint(folder / f"{name}.wav") for name in ("m0", "m1", "s0", "s1")} <= set(heard)
    for flag, value in (("--noise", folder / "noise.jsonl"), ("--unseen", "noise1")):
        with pytest.raises(ValueError, match=f"{flag}: expected speech to mix"):
            enhance.main([*how, flag, str(value), "--overwrite"])


def test_speech_among_scenes_is_named(folder: Path) -> None:
    speech = (folder / "train.jsonl").read_text()
    (folder / "train.jsonl").write_text((folder / "scenes.jsonl").read_text() + speech)
    enhance = importlib.import_module("enhance")
    dev = ["--dev", str(folder / "scenes.jsonl")]
    with pytest.raises(ValueError, match=r"train\.jsonl:3: expected target_filepath"):
        enhance.main(flags(folder, "mask_tiny", *dev, noise=""))
    assert not (folder / "run" / "best.pt").exists()


def test_what_would_do_nothing_is_refused(folder: Path) -> None:
    enhance = importlib.import_module("enhance")
    with pytest.raises(ValueError, match="expected --listener"):
        enhance.main(flags(folder, "mask_tiny", "--listening", "5"))
    with pytest.raises(ValueError, match=r"--unseen: .* there is none of 'nois1'"):
        enhance.main(flags(folder, "mask_tiny", "--unseen", "nois1"))
    both = ["--init", "a.pt", "--lips", "b.pt"]
    with pytest.raises(ValueError, match="of which --init would replace the others"):
        importlib.import_module("enhance_av").main(flags(folder, "av_mask", *both))


def test_lines_that_are_no_scenes_are_told_instead_of_scored(folder: Path) -> None:
    (folder / "scenes.jsonl").write_text((folder / "train.jsonl").read_text())
    with pytest.raises(NothingScoredError, match="expected target_filepath"):
        importlib.import_module("enhance").main(flags(folder, "mask_tiny"))
    assert not (folder / "run" / "valid.json").exists()


def test_audio_visual(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module("enhance_av")
    assert sys.modules["enhance"] is not None
    with pytest.raises(ValueError, match="network that sees"):
        module.main(flags(folder, "mask_tiny"))
    small = folder / "small.toml"
    small.write_text(
        'network = "dualpath"\n[dualpath]\nfilters = 8\nwidth = 4\nhidden = 4\nconvs = 1\n'
        "seen = 4\n"
    )
    module.main(flags(folder, str(small)))
    assert "video: absent 10" in capsys.readouterr().out
    assert Enhancer.load(folder / "run" / "best.pt").video == "fixed"
    module.main(flags(folder, str(small), "--video", "zeroed", "--overwrite"))
    assert Enhancer.load(folder / "run" / "best.pt").video == "zeroed"  # used as it was trained


def test_a_dev_manifest_and_several_manifests_of_noise(folder: Path) -> None:
    (folder / "more.jsonl").write_text(
        (folder / "noise.jsonl").read_text().replace("noise", "other")
    )
    enhance = importlib.import_module("enhance")
    lines = (folder / "train.jsonl").read_text().splitlines(keepends=True)
    (folder / "dev.jsonl").write_text("".join(lines[:3]))
    both = f"{folder / 'noise.jsonl'},{folder / 'more.jsonl'}"
    enhance.main(
        flags(
            folder,
            "mask_tiny",
            "--noise",
            both,
            "--unseen",
            "noise1,other1",
            "--dev",
            str(folder / "dev.jsonl"),
        )
    )
    assert Enhancer.load(folder / "run" / "best.pt").notes["utterances"] == 8
    settings = enhance.Settings(train="", noise=both, unseen="noise1,other1")
    lines = enhance.read_manifests(str(folder / "train.jsonl"))
    corpus = enhance.Scenes(settings, enhance.read_enhancer("mask_tiny")).corpus(lines)
    assert [sorted(kind.classes) for kind in corpus.interferers] == [["noise0", "other0"]]


def test_the_own_voice_competes_with_another_sentence_only(folder: Path) -> None:
    import enhance

    lines = []
    for line in (folder / "train.jsonl").read_text().splitlines():
        lines.append(json.dumps({**json.loads(line), "speaker": "s1"}))
    (folder / "own.jsonl").write_text("\n".join(lines) + "\n")
    settings = enhance.Settings(train=str(folder / "own.jsonl"), own=str(folder / "own.jsonl"))
    utterances = enhance.read_manifests(settings.train)
    corpus = enhance.Scenes(settings, enhance.read_enhancer("mask_tiny")).corpus(utterances)
    for index in range(len(utterances)):
        item = corpus[index]
        interferer = item.samples - item.clean
        likeness = np.corrcoef(interferer.numpy(), item.clean.numpy())[0, 1]
        assert abs(likeness) < 0.9, "an utterance is heard beside itself"


def test_a_mask_that_sees_takes_the_trunk_of_a_lip_reader(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import enhance_av

    from ctcasr.recognise.model import build
    from ctcasr.recognise.recogniser import Recogniser
    from ctcasr.recognise.spec import read_spec, spec_to
    from ctcasr.text import Alphabet

    spec = read_spec("lips layers=1 hidden=8")
    alphabet = Alphabet.english38()
    lip_reader = build(spec, alphabet.size)
    checkpoint.save(folder / "lips.pt", Recogniser.payload(lip_reader, spec_to(spec), alphabet, {}))
    how = flags(folder, "av_mask av_mask.mask.hidden=32", "--lips", str(folder / "lips.pt"))
    scored = []
    measure = enhance_av.enhance.score_scenes

    def score_scenes(task: Enhance, scenes: Loader) -> object:
        scored.append({name: t.clone() for name, t in task.network.state_dict().items()})
        return measure(task, scenes)

    monkeypatch.setattr(enhance_av.enhance, "score_scenes", score_scenes)
    ears = build_enhancer(read_enhancer("mask mask.hidden=32"))
    payload = Enhancer.payload(ears, enhancer_to(read_enhancer("mask mask.hidden=32")), {})
    checkpoint.save(folder / "ears.pt", payload)
    enhance_av.main([*how, "--frozen", "--spoil", "--ears", str(folder / "ears.pt")])
    best = checkpoint.load(folder / "run" / "best.pt")["network"]
    assert all(torch.equal(scored[0][name], tensor) for name, tensor in best.items())
    enhancer = Enhancer.load(folder / "run" / "best.pt")
    for name, tensor in lip_reader.body.conv.state_dict().items():
        assert torch.equal(enhancer.model.trunk.state_dict()[name], tensor), name
    assert "absent" in capsys.readouterr().out
    with pytest.raises(ValueError, match="a trunk that has learnt to see"):
        enhance_av.main([*flags(folder, "av_mask"), "--frozen", "--out", str(folder / "other")])
    other = ["--lips", str(folder / "lips.pt"), "--out", str(folder / "other")]
    with pytest.raises(ValueError, match="the trunk of this network"):
        enhance_av.main([*flags(folder, "av_mask av_mask.lips.features=64"), *other])
