"""--device: the same words everywhere, and sentences where a device is not there."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch

from ctcasr.cli import main
from ctcasr.commands.device_flag import add_device_flag, device_for, device_from
from ctcasr.recognise import Recogniser


def parsed(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_device_flag(parser)
    return parser.parse_args(flags)


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a device; nothing is sent there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("no_cuda")
def test_auto_takes_what_there_is() -> None:
    assert device_from(parsed()).type == "cpu"


@pytest.mark.usefixtures("with_cuda")
def test_auto_takes_cuda_and_a_name_takes_that_device() -> None:
    assert device_from(parsed()).type == "cuda"
    assert device_from(parsed("--device", "cpu")).type == "cpu"
    assert device_from(parsed("--device", "cuda:1")).index == 1


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "gpu", "", "CPU core"])
def test_what_is_not_there_is_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=r"^--device: expected auto"):
        device_from(parsed("--device", name))


@pytest.mark.usefixtures("with_cuda")
def test_an_onnx_file_stays_on_the_cpu() -> None:
    with pytest.raises(ValueError, match=r"--device cuda: expected checkpoints .*b\.ONNX"):
        device_for(parsed("--device", "cuda"), ["a.pt", "b.ONNX"])
    assert device_for(parsed("--device", "cuda"), ["a.pt"]).type == "cuda"
    assert device_for(parsed("--device", "cpu"), ["b.onnx"]).type == "cpu"
    assert device_for(parsed(), ["b.onnx"]).type == "cuda"  # of the others in an ensemble


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("command", ["evaluate", "transcribe", "enhance", "offset", "card"])
def test_commands_with_networks_take_it_and_say_so(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--device auto|cpu|cuda" in capsys.readouterr().out


@pytest.mark.usefixtures("no_cuda")
def test_evaluate_and_transcribe_hand_it_to_the_network(
    recogniser: Path,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for: list[str] = []
    load = Recogniser.load

    def load_and_note(path: str, device: torch.device) -> object:
        asked_for.append(device.type)
        return load(path, device)

    monkeypatch.setattr(Recogniser, "load", staticmethod(load_and_note))
    sound = str(tmp_path / "a.wav")
    scores = str(tmp_path / "scores")
    evaluate = ["evaluate", str(recogniser), str(recordings), "--out", scores, "--device", "cpu"]
    assert main(evaluate) == 0
    both = ["--ensemble", str(recogniser)]
    assert main(["transcribe", str(recogniser), sound, "--json", "--device", "cpu", *both]) == 0
    assert asked_for == ["cpu", "cpu", "cpu"]
    assert "text" in json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["transcribe", str(recogniser), sound, "--device", "cuda"]) == 1
    assert "--device: expected auto or cpu" in capsys.readouterr().err


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("flags", [[], ["--beam", "4"]])
def test_a_device_writes_what_the_cpu_writes(
    recogniser: Path,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
) -> None:
    written = {}
    for device in ("cpu", "cuda"):
        sounds = [str(tmp_path / f"{name}.wav") for name in "abc"]
        assert main(["transcribe", str(recogniser), *sounds, "--device", device, *flags]) == 0
        written[device] = capsys.readouterr().out
        out = ["--out", str(tmp_path / device), "--device", device]
        assert main(["evaluate", str(recogniser), str(recordings), *out, *flags]) == 0
        capsys.readouterr()
    assert written["cpu"] == written["cuda"]
