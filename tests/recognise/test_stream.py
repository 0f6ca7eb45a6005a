"""Streams: whatever the chunks, what comes out is what comes of the whole.

Nothing is taken back; no frame waits longer than is said.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ctcasr.data import AudioError
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import PRESETS, spec_to
from ctcasr.recognise.stream import LogitsStream
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, Pieces, Tokenizer

RATE = 8000
FRONT = FrontSpec(RATE, bands=20, n_fft=256, norm="corpus")
SMALL = NetSpec(
    FRONT,
    (ConvSpec(2, (5, 3), (2, 2)),),
    "gru",
    layers=2,
    hidden=8,
    bidirectional=False,
    lookahead=3,
)
SPECS = {
    "gru": SMALL,
    "lstm": replace(
        SMALL,
        rnn="lstm",
        conv=(ConvSpec(2, (4, 3), (2, 2)), ConvSpec(3, (5, 3), (1, 1))),
        fc=(7,),
        clip=20.0,
    ),
    "rnn": replace(SMALL, rnn="rnn", rnn_norm="none", lookahead=0, conv=()),
    "skipping": replace(
        SMALL, conv=(ConvSpec(2, (1, 3), (3, 2)), ConvSpec(2, (2, 3), (3, 1)))
    ),  # hops longer than windows
    "whole windows": replace(
        SMALL, front=replace(FRONT, kind="spectrogram", centred=False, norm="none", power=1.0)
    ),
    "long hop": replace(
        SMALL, front=replace(FRONT, hop_s=0.04, centred=False, norm="zca"), prior_weight=0.3
    ),
}


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def made(name: str, symbols: int = 5) -> SpeechModel:
    """A network as if it had been trained a little, which writes much."""
    torch.manual_seed(1)
    model = build(SPECS[name], symbols)
    batch = Seq.stack([noise(RATE, 1), noise(RATE // 2, 2)], RATE)
    model.front.fit([batch])
    for _ in range(40):
        model(batch)
    with torch.no_grad():
        model.body.head.output.weight.mul_(8.0)
        if model.body.lookahead is not None:
            model.body.lookahead.conv.weight.normal_(0, 0.5)
        if model.prior is not None:
            model.prior.log.normal_()
    return model.eval()


def recogniser(name: str = "gru", tokenizer: Tokenizer | None = None) -> Recogniser:
    tokenizer = tokenizer or Alphabet("ab c")
    return Recogniser(made(name, tokenizer.size), tokenizer, spec_to(SPECS[name]), {})


MODELS = {name: made(name) for name in SPECS}
CHUNKS = st.lists(st.one_of(st.sampled_from([0, 1, 80, 800]), st.integers(0, 3000)), max_size=12)


@torch.no_grad()
def offline(model: SpeechModel, samples: Tensor) -> Tensor:
    return model(Seq.stack([samples], RATE)).row(0)


def pieces(samples: Tensor, sizes: list[int]) -> list[Tensor]:
    """Samples cut into chunks of these sizes, and what is left as one more."""
    cuts, at = [], 0
    for size in sizes:
        cuts.append(samples[at : at + size])
        at += size
    return [*cuts, samples[at:]]


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=25)
@given(sizes=CHUNKS, samples=st.integers(300, 6000))
def test_logits_are_those_of_the_whole_whatever_the_chunks(
    name: str, sizes: list[int], samples: int
) -> None:
    sound, stream = noise(samples), LogitsStream(MODELS[name])
    out = torch.cat(
        [*(stream(chunk) for chunk in pieces(sound, sizes)), stream(sound[:0], last=True)]
    )
    wanted = offline(MODELS[name], sound)
    assert out.shape == wanted.shape and (
        not out.numel() or float((out - wanted).abs().max()) <= 1e-4
    )


@pytest.mark.parametrize("name", SPECS)
def test_sample_by_sample(name: str) -> None:
    sound, stream = noise(1500), LogitsStream(MODELS[name])
    out = torch.cat([*(stream(sample) for sample in sound.split(1)), stream(sound[:0], last=True)])
    assert float((out - offline(MODELS[name], sound)).abs().max()) <= 1e-4


@pytest.mark.parametrize("samples", [0, 1, 200])
@pytest.mark.parametrize("name", SPECS)
def test_short_sounds(name: str, samples: int) -> None:
    out = LogitsStream(MODELS[name])(noise(samples), last=True)
    assert out.shape == (MODELS[name].frames(samples), 5)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("sizes", [[], [1] * 50, [800] * 20, [0, 5000, 0, 0, 3, 4001]])
def test_words_times_and_score_are_those_of_the_whole_and_nothing_is_taken_back(
    name: str, sizes: list[int]
) -> None:
    reader, sound = recogniser(name), noise(3 * RATE, 5)
    (wanted,) = reader.transcribe(sound, RATE)
    stream, text, settled = reader.stream(), "", list[object]()
    for chunk in pieces(sound, sizes):
        found = stream.feed(chunk)
        assert (
            found.text.startswith(text)
            and [word.text for word in found.words] == found.text.split()
        )
        assert (
            list(stream.final_words[: len(settled)]) == settled
            and stream.final_words == found.words[: len(stream.final_words)]
        )
        assert len(found.words) - len(stream.final_words) <= 1
        text, settled = found.text, list(stream.final_words)
    last = stream.finish()
    assert (
        last.text.startswith(text)
        and list(last.words[: len(settled)]) == settled
        and stream.final_words == last.words
    )
    assert (last.text, last.words, last.tokens) == (wanted.text, wanted.words, wanted.tokens)
    assert math.isclose(last.score, wanted.score, abs_tol=1e-3) and len(last.tokens) > 3


@pytest.mark.parametrize("name", SPECS)
def test_no_word_ends_after_the_sound_as_in_the_whole(name: str) -> None:
    reader = recogniser(name)
    reader.blank_penalty = 1e4  # it writes in every frame, and so in the last
    for samples in (RATE, RATE + 17, RATE + 300):
        stream, sound = reader.stream(), noise(samples, 7)
        (wanted,) = reader.transcribe(sound, RATE)
        stream.feed(sound)
        last = stream.finish()
        assert last.words == wanted.words == stream.final_words
        assert 0 < last.words[-1].end_s <= samples / RATE + 1e-6


def test_pieces_and_a_blank_penalty() -> None:
    reader = recogniser(
        "lstm", Pieces.train(["ab cab ba", "cc ab", "abba cab"], 12, Alphabet("abc "))
    )
    for reader.blank_penalty in (0.0, 2.0):
        stream, sound = reader.stream(), noise(2 * RATE, 6)
        (wanted,) = reader.transcribe(sound, RATE)
        texts = [stream.feed(chunk).text for chunk in sound.split(777)] + [stream.finish().text]
        assert texts[-1] == wanted.text and len(wanted.words) > 1
        assert all(later.startswith(text) for text, later in pairwise(texts))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float64])
def test_what_samples_came_as_does_not_matter(kind: type) -> None:
    whole = (noise(2 * RATE, 5) * 32768).round().to(torch.int16)
    scale = {np.int16: 1, np.int32: 65536, np.float64: 1 / 32768}[kind]
    chunks = [(part.double().numpy() * scale).astype(kind) for part in whole.split(3000)]
    wanted = recogniser().stream()
    texts = [wanted.feed(part.float() / 32768).text for part in whole.split(3000)]
    for shape in (lambda part: part, torch.from_numpy, lambda part: np.stack([part, part])):
        stream = recogniser().stream()
        assert [stream.feed(shape(part)).text for part in chunks] == texts


@pytest.mark.parametrize("name", SPECS)
def test_no_frame_sees_further_than_the_latency_and_each_sees_nearly_so_far(name: str) -> None:
    model, sound = MODELS[name], noise(2 * RATE)
    before, step = offline(model, sound), round(model.frame_s * RATE)
    latency = round(model.latency_s * RATE)
    unseen = (
        model.front.extract.n_fft - model.front.extract.win
    ) // 2 + 2  # a window's ends weigh nothing
    for frame in (0, 3, len(before) // 2):
        for shift, changes in ((0, False), (-unseen, True)):
            other = sound.clone()
            other[frame * step + latency + shift :] = (
                3.0 * noise(2 * RATE, 9)[frame * step + latency + shift :]
            )
            moved = (offline(model, other) - before).abs().amax(1)
            assert (
                float(moved[: frame if changes else frame + 1].sum()) == 0.0
                and (float(moved[frame]) > 0.0) == changes
            )


def test_a_frame_comes_out_as_soon_as_its_latency_has_passed() -> None:
    model, sound = MODELS["gru"], noise(RATE)
    latency, step = round(model.latency_s * RATE), round(model.frame_s * RATE)
    stream = LogitsStream(model)
    assert [
        len(stream(sound[: latency - 1])),
        len(stream(sound[:1])),
        len(stream(sound[: step - 1])),
        len(stream(sound[:1])),
    ] == [0, 1, 0, 1]


def test_the_preset_streams_and_states_its_latency() -> None:
    model = build(PRESETS["streaming"], 38)
    model.front.norm.fitted.fill_(True)
    stream = Recogniser(model, Alphabet.english38(), spec_to(PRESETS["streaming"]), {}).stream()
    # half a window, three conv layers (2 frames of 10, 20 and 40 ms), 8 frames of 40 ms
    assert (
        stream.latency_s == pytest.approx(0.016 + 2 * (0.010 + 0.020 + 0.040) + 8 * 0.040)
        and stream.rate_hz == 16000
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bidirectional": True}, "both directions .bidirectional = false"),
        ({"front": replace(FRONT, norm="utterance")}, "whole utterance .front.norm"),
        ({"front": replace(FRONT, norm="utterance-zca")}, "whole utterance .front.norm"),
        ({"front": replace(FRONT, norm="lifted-mean")}, "whole utterance .front.norm"),
        ({"front": replace(FRONT, range_db=80.0)}, "loudest point .* .front.range_db = 0"),
        ({"front": replace(FRONT, floor_db=65.0)}, "whole utterance .front.floor_db = 0"),
    ],
)
def test_what_cannot_stream_says_why_and_what_can(change: dict[str, object], told: str) -> None:
    spec = replace(SMALL, **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"cannot stream: .*{told}.*--net streaming"):
        Recogniser(build(spec, 5), Alphabet("ab c"), spec_to(spec), {}).stream()


def test_wrong_samples_and_an_ended_stream_are_told() -> None:
    stream = recogniser().stream()
    for wrong, told in (
        (torch.zeros(5, 2), "more channels than sound"),
        (torch.tensor([math.nan]), "expected finite samples"),
        (32768 * noise(50), "divided by 32768"),
        (None, "got NoneType"),
    ):
        with pytest.raises(AudioError, match=f"chunk: .*{told}"):
            stream.feed(wrong)
    for nothing in (noise(0), torch.zeros(1, 0), torch.zeros(2, 0), np.zeros((0, 1), np.int16)):
        assert stream.feed(nothing).text == ""
    assert stream.finish().words == ()
    for again in (lambda: stream.feed(noise(5)), stream.finish):
        with pytest.raises(RuntimeError, match="has ended"):
            again()


@pytest.mark.parametrize("size", [1, 40])
def test_chunks_of_two_channels_are_their_mean_whatever_their_phase(size: int) -> None:
    reader = recogniser()
    left, right = noise(2000, 8), noise(2000, 9)
    right[:80] = -left[:80]  # as a whole they do not cancel each other
    sound = torch.stack([left, right])
    stream = reader.stream()
    for chunk in sound.split(size, dim=1):
        stream.feed(chunk)
    (wanted,) = reader.transcribe(sound, RATE)
    assert stream.finish().tokens == wanted.tokens


def test_channels_that_cancel_each_other_to_the_end_are_told() -> None:
    stream = recogniser().stream()
    for chunk in torch.stack([noise(800), -noise(800)]).split(100, dim=1):
        stream.feed(chunk)
    with pytest.raises(AudioError, match="opposite phase"):
        stream.finish()
