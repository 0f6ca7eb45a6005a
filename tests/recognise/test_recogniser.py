"""Recogniser: files and samples in, words with times out; nobody sees a batch mate."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError
from ctcasr.cli import main
from ctcasr.data import AudioError
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Hypothesis, Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet

RATE = 8000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network: it writes nonsense, but much of it."""
    torch.manual_seed(4)
    alphabet = Alphabet("abc ")
    spec = NetSpec(
        FrontSpec(RATE, bands=20, n_fft=256), (ConvSpec(2, (3, 3), (2, 2)),), layers=1, hidden=8
    )
    model = build(spec, alphabet.size)
    with torch.no_grad():
        model.body.head.output.weight.mul_(8.0)
        model.body.head.output.bias[1:].copy_(torch.tensor([0.0, 0.0, 0.0, 1.5]))  # spaces too
    for _ in range(3):
        model(Seq.stack([noise(1.0), noise(0.7)], RATE))
    return checkpoint.save(
        tmp_path_factory.mktemp("recogniser") / "best.pt",
        Recogniser.payload(model, spec_to(spec), alphabet, {"a": 1}),
    )


@pytest.fixture(scope="module")
def recogniser(path: Path) -> Recogniser:
    return Recogniser.load(path)


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(
        max(1, round(seconds * RATE)), generator=torch.Generator().manual_seed(seed)
    )


CLIPS = [noise(1.0, 1), noise(0.3, 2), noise(2.0, 3), noise(0.0, 4), noise(0.7, 5), noise(1.0, 6)]


def same(a: Hypothesis, b: Hypothesis) -> bool:
    return (a.text, a.words, a.tokens) == (b.text, b.words, b.tokens) and math.isclose(
        a.score, b.score, abs_tol=1e-3
    )


def test_it_writes_something(recogniser: Recogniser) -> None:
    found = recogniser.transcribe(CLIPS, RATE)
    assert len({f.text for f in found}) >= 4 and any(len(f.words) > 1 for f in found)


@pytest.mark.parametrize("batch_seconds", [0.01, 1.5, 3.0, 1e6])
def test_hypotheses_come_in_order_and_do_not_depend_on_the_batch(
    batch_seconds: float, recogniser: Recogniser
) -> None:
    alone = [recogniser.transcribe(clip, RATE)[0] for clip in CLIPS]
    for order in (range(6), range(5, -1, -1)):
        found = recogniser.transcribe([CLIPS[i] for i in order], RATE, batch_seconds)
        assert all(same(f, alone[i]) for f, i in zip(found, order, strict=True))


@torch.no_grad()
def test_logits_are_the_same_alone_and_in_a_batch(recogniser: Recogniser) -> None:
    together = recogniser.logits(Seq.stack(CLIPS, RATE))
    for index, clip in enumerate(CLIPS):
        alone = recogniser.logits(Seq.stack([clip], RATE))
        assert float((together.row(index) - alone.row(0)).abs().max()) <= 1e-5


def test_files_samples_and_mixed_lists(recogniser: Recogniser, tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    soundfile.write(file, CLIPS[0].numpy(), RATE, subtype="FLOAT")
    (wanted,) = recogniser.transcribe(CLIPS[0], RATE)
    for audio in (file, str(file), [file], [CLIPS[0]]):
        (found,) = recogniser.transcribe(audio, RATE)
        assert same(found, wanted)
    mixed = recogniser.transcribe([CLIPS[1], file], RATE)
    assert same(mixed[1], wanted) and same(mixed[0], recogniser.transcribe(CLIPS[1], RATE)[0])
    assert recogniser.transcribe([], RATE) == []


def test_stereo_is_its_mean(recogniser: Recogniser, tmp_path: Path) -> None:
    left, right = noise(0.5, 7), noise(0.5, 8)
    soundfile.write(
        tmp_path / "s.wav", torch.stack((left, right), 1).numpy(), RATE, subtype="FLOAT"
    )
    assert same(
        recogniser.transcribe(tmp_path / "s.wav")[0],
        recogniser.transcribe((left + right) / 2, RATE)[0],
    )


@pytest.mark.parametrize("rate", [16000, 44100])
def test_another_rate_is_resampled_the_same_from_a_file_and_from_samples(
    rate: int, recogniser: Recogniser, tmp_path: Path
) -> None:
    samples = 0.1 * torch.randn(rate, generator=torch.Generator().manual_seed(9))
    soundfile.write(tmp_path / "r.wav", samples.numpy(), rate, subtype="FLOAT")
    assert same(
        recogniser.transcribe(tmp_path / "r.wav")[0], recogniser.transcribe(samples, rate)[0]
    )
    frames = recogniser.model.frames(RATE)
    for word in recogniser.transcribe(samples, rate)[0].words:
        assert word.end_s <= frames * recogniser.model.frame_s


@pytest.mark.parametrize(
    ("samples", "rate", "told"),
    [
        (torch.zeros(100), None, "expected rate_hz with samples"),
        (torch.zeros(100), 0, "expected rate_hz"),
        (torch.zeros(100, 2), RATE, "more channels than sound"),
        (torch.zeros(0), RATE, r"expected samples \[N\] or \[channels, N\]"),
        (torch.tensor([0.0, math.nan]), RATE, "finite"),
        (torch.full((100,), 3000.0), RATE, "divided by 32768"),
        (torch.tensor([[0.5, -0.5], [-0.5, 0.5]]), RATE, "opposite phase"),
        ([torch.zeros(100), torch.zeros(100, 2)], RATE, "sound 1: expected"),
    ],
)
def test_wrong_samples_raise(
    samples: torch.Tensor, rate: int | None, told: str, recogniser: Recogniser
) -> None:
    with pytest.raises(AudioError, match=told):
        recogniser.transcribe(samples, rate)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_what_samples_came_as_does_not_matter(kind: type, recogniser: Recogniser) -> None:
    whole = (CLIPS[0] * 32768).round().to(torch.int16).numpy()
    (wanted,) = recogniser.transcribe(torch.from_numpy(whole / 32768).float(), RATE)
    scale = {np.int16: 1, np.int32: 65536}.get(kind, 1 / 32768)
    samples = (whole.astype(np.float64) * scale).astype(kind)
    for sound in (samples, torch.from_numpy(samples), np.stack([samples, samples])):
        (found,) = recogniser.transcribe(sound, RATE)
        assert same(found, wanted)


def test_open_files_are_heard_like_paths(recogniser: Recogniser, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", CLIPS[0].numpy(), RATE, subtype="FLOAT")
    content = (tmp_path / "a.wav").read_bytes()
    (wanted,) = recogniser.transcribe(tmp_path / "a.wav")
    with open(tmp_path / "a.wav", "rb") as file:
        assert same(recogniser.transcribe(file)[0], wanted)
    for found in recogniser.transcribe([io.BytesIO(content), io.BytesIO(content)]):
        assert same(found, wanted)


def test_bad_files_raise(recogniser: Recogniser, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for path in (tmp_path / "none.wav", tmp_path / "empty.wav"):
        with pytest.raises(AudioError, match=path.name):
            recogniser.transcribe([path])


def test_words_are_the_text_and_their_times_lie_inside_the_clip_in_order(
    recogniser: Recogniser,
) -> None:
    for clip, found in zip(CLIPS, recogniser.transcribe(CLIPS, RATE), strict=True):
        assert [word.text for word in found.words] == found.text.split()
        last = 0.0
        for word in found.words:
            assert last <= word.start_s < word.end_s <= len(clip) / RATE + recogniser.model.frame_s
            last = word.end_s
        assert recogniser.tokenizer.decode(found.tokens) == found.text and found.score <= 0


def test_silence_and_one_sample_are_transcribed(recogniser: Recogniser) -> None:
    for clip in (torch.zeros(RATE), torch.zeros(1)):
        (found,) = recogniser.transcribe(clip, RATE)
        assert isinstance(found.text, str) and math.isfinite(found.score)


def test_logits_are_differentiable_down_to_the_samples(recogniser: Recogniser) -> None:
    x = Seq.stack(CLIPS[:2], RATE)
    x.data.requires_grad_()
    out = recogniser.logits(x)
    out.row(1).square().sum().backward()
    assert x.data.grad is not None and bool(x.data.grad[1].any())
    assert not bool(x.data.grad[0].any()) and not bool(
        x.data.grad[1, len(CLIPS[1]) :].any()
    )  # no batch mate, no padding


def test_saving_and_loading_again_changes_nothing(
    recogniser: Recogniser, path: Path, tmp_path: Path
) -> None:
    payload = Recogniser.payload(
        recogniser.model, recogniser.spec, recogniser.tokenizer, recogniser.notes
    )
    twin = Recogniser.load(checkpoint.save(tmp_path / "twin.pt", payload))
    assert twin.rate_hz == RATE and twin.notes == {"a": 1} and not twin.model.training
    assert all(
        same(a, b)
        for a, b in zip(
            twin.transcribe(CLIPS, RATE), recogniser.transcribe(CLIPS, RATE), strict=True
        )
    )


def test_a_checkpoint_of_another_kind_is_told(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "e.pt", {"kind": "enhancer", "network": {}})
    with pytest.raises(
        CheckpointError, match="expected a recogniser; this checkpoint holds: enhancer"
    ):
        Recogniser.load(tmp_path / "e.pt")


def test_a_network_with_more_outputs_than_symbols_is_told(recogniser: Recogniser) -> None:
    for letters in ("abcd ", "ab"):
        with pytest.raises(ValueError, match=r"expected . scores a frame.*; got 5"):
            Recogniser(recogniser.model, Alphabet(letters), recogniser.spec, {})


def test_stereo_in_opposite_phase_is_no_empty_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = torch.stack((CLIPS[0], -CLIPS[0]), 1).numpy()
    soundfile.write(tmp_path / "s.wav", samples, RATE, subtype="FLOAT")
    assert main(["transcribe", str(path), str(tmp_path / "s.wav")]) == 1
    told = capsys.readouterr()
    assert told.out == "" and "opposite phase" in told.err and "s.wav" in told.err
