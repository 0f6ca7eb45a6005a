"""Files for sherpa-onnx: the network's text at any gain, times that fit, what is refused."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.ctc import greedy
from ctcasr.decoding.commands import Commands
from ctcasr.export.sherpa import export_for_sherpa, tokens_text
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, Pieces

pytest.importorskip("onnx", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

RATE = 16000
FRONT = FrontSpec(RATE, bands=20, n_fft=512, floor_db=65.0)
SPEC = NetSpec(FRONT, (ConvSpec(2, (5, 3), (4, 2)),), "lstm", layers=1, hidden=8)
ALPHABET = Alphabet("abc ")


def recogniser(spec: NetSpec = SPEC) -> Recogniser:
    torch.manual_seed(0)
    model = build(spec, ALPHABET.size)
    clip = Seq.stack([noise()], spec.front.rate_hz)
    for _ in range(3):
        model.train()(clip)
    with torch.no_grad():
        model.body.head.output.weight.mul_(8.0)
    return Recogniser(model, ALPHABET, spec_to(spec), {})


def noise(samples: int = 30000) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(1))


def normalised(samples: torch.Tensor) -> np.ndarray:
    """As the loader brings them to mean 0 and variance 1."""
    return ((samples - samples.mean()) / samples.std(unbiased=False))[None].numpy()


def test_the_file_writes_what_torch_writes_at_the_gain_of_the_loader(tmp_path: Path) -> None:
    torches = recogniser()
    exported = export_for_sherpa(torches, tmp_path)
    session = onnxruntime.InferenceSession(str(exported.files[0]))
    (log_probs,) = session.run(None, {session.get_inputs()[0].name: normalised(noise())})
    (wanted,) = torches.transcribe(noise(), RATE)
    (decoded,) = greedy(torch.from_numpy(log_probs), [log_probs.shape[1]], ALPHABET.blank)
    assert wanted.text and decoded.tokens == wanted.tokens
    logits = torches.logits(Seq.stack([noise()], RATE))
    assert log_probs.shape[1] == 2 * logits.lengths[0]  # 40 ms a frame, told as two of 20 ms
    assert json.loads((tmp_path / "model_sherpa.json").read_text())["times_factor"] == 1


def test_a_recogniser_of_given_sentences_is_told_that_they_are_lost(tmp_path: Path) -> None:
    made = recogniser()
    assert "WARNING" not in str(export_for_sherpa(made, tmp_path / "plain"))
    made.understand(Commands("ab\nba"))
    told = str(export_for_sherpa(made, tmp_path / "taught"))
    assert "knows nothing of them" in told


def test_symbols_are_written_as_sherpa_reads_them() -> None:
    pieces = Pieces.train(["ab c", "ab ab c", "cab"], 10, Alphabet(" abc"))
    for tokenizer in (ALPHABET, pieces):
        lines = tokens_text(tokenizer).splitlines()
        symbols = [line.split(" ")[0] for line in lines]
        assert symbols[0] == "<blk>" and len(lines) == tokenizer.size
        written = "".join(symbols[token] for token in tokenizer.encode("ab cab"))
        assert written.replace("\u2581", " ").strip() == "ab cab"


def test_frames_that_do_not_fit_the_loaders_clock_are_told(tmp_path: Path) -> None:
    odd = replace(SPEC, conv=(ConvSpec(2, (3, 3), (3, 2)),))
    exported = export_for_sherpa(recogniser(odd), tmp_path)
    assert exported.times_factor == 1.5 and "multiplied by 1.5" in str(exported)


def test_a_front_end_that_hears_the_gain_is_refused(tmp_path: Path) -> None:
    loud = replace(SPEC, front=replace(FRONT, floor_db=0.0))
    with pytest.raises(ValueError, match=r"front\.floor_db=65"):
        export_for_sherpa(recogniser(loud), tmp_path)
    slow = replace(SPEC, front=replace(FRONT, rate_hz=8000, n_fft=256))
    with pytest.raises(ValueError, match=r"front\.rate_hz=16000"):
        export_for_sherpa(recogniser(slow), tmp_path)


@pytest.mark.skipif(
    importlib.util.find_spec("sherpa_onnx") is None, reason="needs sherpa-onnx (extra sherpa)"
)
def test_sherpa_itself_writes_the_same(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "noise.wav", noise().numpy(), RATE)
    clips = [Utterance(tmp_path / "noise.wav", text="abc")]
    exported = export_for_sherpa(recogniser(), tmp_path, clips)
    assert exported.results[0].same_text == 1


@pytest.mark.parametrize("letter", ["_", "\u2581"])
def test_a_letter_that_would_be_read_as_a_space_is_refused(letter: str) -> None:
    with pytest.raises(ValueError, match=r"symbols \d+ and \d+ of this recogniser"):
        tokens_text(Alphabet(f" ab{letter}"))
