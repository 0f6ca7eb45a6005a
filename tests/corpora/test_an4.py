"""AN4 of both kinds, and with files missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.data import read_audio, read_manifest

Run = Callable[..., int]


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, count, dtype=np.int16)


def an4(root: Path, sphere: bool) -> dict[str, np.ndarray]:
    """AN4 as it is handed out, with three utterances for training and one for testing."""
    said = {
        "an4_clstk/fash/an251-fash-b": "<s> YES </s>",
        "an4_clstk/fash/cen1-fash-b": "<s> F A S H I O N </s>",
        "an4_clstk/mjdr/an11-mjdr-b": "<s> P I T T S B U R G H </s>",
        "an4test_clstk/menk/an431-menk-b": "OCTOBER TWENTY FOUR NINETEEN SEVENTY",
    }
    sounds = {name: noise(1600 + 100 * index, index) for index, name in enumerate(said)}
    for name, samples in sounds.items():
        path = root / "wav" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if sphere:
            soundfile.write(
                path.with_name(path.name + ".sph"),
                samples,
                16000,
                format="NIST",
                subtype="PCM_16",
                endian="BIG",
            )
        else:
            path.with_name(path.name + ".raw").write_bytes(samples.astype(">i2").tobytes())
    (root / "etc").mkdir()
    for part, folder in (("train", "an4_clstk"), ("test", "an4test_clstk")):
        names = [name for name in said if name.startswith(folder)]
        (root / f"etc/an4_{part}.fileids").write_text("".join(f"{name}\n" for name in names))
        (root / f"etc/an4_{part}.transcription").write_text(
            "".join(f"{said[name]} ({Path(name).name})\n" for name in names)
        )
    return sounds


@pytest.mark.parametrize("sphere", [True, False])
def test_an4(run: Run, tmp_path: Path, sphere: bool) -> None:
    sounds = an4(tmp_path / "an4", sphere)
    before = {path: path.read_bytes() for path in (tmp_path / "an4").rglob("*") if path.is_file()}
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "train.jsonl") == 0
    assert run("an4", tmp_path / "an4", "--part", "test", "--out", tmp_path / "test.jsonl") == 0
    train, test = (
        read_manifest(tmp_path / f"{part}.jsonl").utterances for part in ("train", "test")
    )
    assert [(u.text, u.speaker) for u in train] == [
        ("YES", "fash"),
        ("F A S H I O N", "fash"),
        ("P I T T S B U R G H", "mjdr"),
    ]
    assert [(u.text, u.speaker) for u in test] == [("OCTOBER TWENTY FOUR NINETEEN SEVENTY", "menk")]
    for utterance, samples in zip([*train, *test], sounds.values(), strict=True):
        assert torch.equal(
            read_audio(utterance, 16000), torch.from_numpy(samples.astype(np.float32) / 32768)
        )
    assert {
        path: path.read_bytes() for path in (tmp_path / "an4").rglob("*") if path.is_file()
    } == before  # the originals stay


def test_an4_that_is_incomplete(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    an4(tmp_path / "an4", True)
    (tmp_path / "an4/wav/an4_clstk/fash/cen1-fash-b.sph").unlink()
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 0
    told = capsys.readouterr().out
    assert "2 utterances" in told and "left out: 1" in told and "cen1-fash-b.sph" in told
    (tmp_path / "an4/etc/an4_train.transcription").write_text("<s> YES </s> (an251-fash-b)\n")
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 1
    assert "an4_train.fileids:2: expected a text for cen1-fash-b" in capsys.readouterr().err
    (tmp_path / "an4/etc/an4_train.transcription").write_text("YES\n")
    assert (
        run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 1
        and "name in brackets" in capsys.readouterr().err
    )
    assert (
        run("an4", tmp_path, "--out", tmp_path / "m.jsonl") == 1
        and "with etc and wav in it" in capsys.readouterr().err
    )
