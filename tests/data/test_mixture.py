"""Corpora for enhancement: what is drawn depends on seed, epoch and utterance alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import (
    Corpus,
    Interferers,
    Item,
    Loader,
    MixtureCorpus,
    SceneCorpus,
    without_classes,
)

RATE = 8000


def line(folder: Path, name: str, count: int, **keys: object) -> Utterance:
    samples = 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(sum(map(ord, name))))
    path = folder / f"{name}.wav"
    soundfile.write(path, samples.numpy(), RATE, subtype="FLOAT")
    return Utterance.from_json(
        {"audio_filepath": path.name, "duration": count / RATE, **keys}, folder, where=name
    )


@pytest.fixture
def corpus(tmp_path: Path) -> MixtureCorpus:
    speech = [line(tmp_path, f"s{k}", 4000 + 100 * k) for k in range(4)]
    noises = [
        line(tmp_path, "long", 9000, label="hum"),
        line(tmp_path, "short", 700, label="click"),
    ]
    talkers = [line(tmp_path, "other", 5000, speaker="t1")]
    kinds = [Interferers.noises(noises), Interferers.talkers(talkers)]
    return MixtureCorpus(speech, None, RATE, kinds, rooms=[torch.tensor([1.0, 0.3, 0.1])])


def items(corpus: MixtureCorpus | SceneCorpus, epoch: int) -> list[Item]:
    found = [corpus.item(index, epoch=epoch) for index in range(len(corpus))]
    assert all(isinstance(item, Item) for item in found), found
    return [item for item in found if isinstance(item, Item)]


def test_epochs_differ_and_each_can_be_had_again(corpus: MixtureCorpus) -> None:
    first, again, second = items(corpus, 0), items(corpus, 0), items(corpus, 1)
    for a, b, c in zip(first, again, second, strict=True):
        assert torch.equal(a.samples, b.samples) and not torch.equal(a.samples, c.samples)
        assert a.clean is not None and a.clean.shape == a.samples.shape


def test_snr_is_within_what_was_asked_for(corpus: MixtureCorpus) -> None:
    corpus.room_share = 0.0
    ratios = []
    for epoch in range(20):
        for item in items(corpus, epoch):
            assert item.clean is not None
            ratios.append(
                10
                * math.log10(
                    float(item.clean.square().mean() / (item.samples - item.clean).square().mean())
                )
            )
    assert -15.1 < min(ratios) < -8 and 5 < max(ratios) < 10.1


def test_a_batch_holds_the_clean_speech_and_video(corpus: MixtureCorpus) -> None:
    corpus.frames = lambda u, seed: torch.zeros(
        (3 if u.where == "s1" else 0, 4, 4), dtype=torch.uint8
    )
    (batch,) = Loader(corpus, batch_size=4, order="manifest").epoch(0)
    assert batch is not None and batch.clean is not None and batch.video is not None
    assert batch.clean.lengths == batch.audio.lengths == (4000, 4100, 4200, 4300)
    assert batch.video.lengths == (0, 3, 0, 0) and batch.video.rate == 25


def test_an_interferer_that_cannot_be_read_is_a_skip(tmp_path: Path) -> None:
    gone = Utterance(tmp_path / "gone.wav", label="x")
    corpus = MixtureCorpus([line(tmp_path, "s", 4000)], None, RATE, [Interferers.noises([gone])])
    found = corpus.item(0)
    assert isinstance(found, Skip) and "gone.wav" in found.reason
    with pytest.raises(ValueError, match="at least one kind"):
        MixtureCorpus([line(tmp_path, "s", 4000)], None, RATE, [])


def scene(folder: Path, extra: int = 0, **keys: object) -> Utterance:
    line(folder, "target", 4000 + extra)
    return line(folder, "noisy", 4000, target_filepath=str(folder / "target.wav"), **keys)


def test_scenes_are_read_as_they_lie(tmp_path: Path) -> None:
    (item,) = items(SceneCorpus([scene(tmp_path)], None, RATE), 0)
    target: Tensor = torch.from_numpy(soundfile.read(tmp_path / "target.wav", dtype="float32")[0])
    assert item.clean is not None and torch.equal(item.clean, target)


def test_scenes_with_a_bad_target_are_skips(tmp_path: Path) -> None:
    for utterance, reason in (
        (scene(tmp_path, -200), "200 samples apart"),
        (line(tmp_path, "alone", 4000), "target_filepath"),
    ):
        found = SceneCorpus([utterance], None, RATE).item(0)
        assert isinstance(found, Skip) and reason in found.reason


def test_speech_of_another_speed_is_as_long_as_its_mixture(tmp_path: Path) -> None:
    kinds = [Interferers.noises([line(tmp_path, "n", 9000)])]
    corpus = MixtureCorpus(
        [line(tmp_path, f"s{k}", 4000) for k in range(8)], None, RATE, kinds, speeds=(0.8, 1.0)
    )
    items = [corpus.item(k, epoch=1) for k in range(8)]
    assert {item.samples.shape[0] for item in items} == {4000, 5000}
    assert all(item.clean.shape == item.samples.shape for item in items)
    with pytest.raises(ValueError, match="video, which would not keep up"):
        MixtureCorpus(
            [line(tmp_path, "s", 4000)],
            None,
            RATE,
            kinds,
            frames=lambda u, seed: torch.zeros(1, 4, 4),
            speeds=(0.8, 1.0),
        )


def test_a_place_is_drawn_at_which_the_interferer_sounds(tmp_path: Path) -> None:
    bark = torch.zeros(40000)
    bark[20000:22000] = 0.1
    soundfile.write(tmp_path / "bark.wav", bark.numpy(), RATE, subtype="FLOAT")
    speech = [line(tmp_path, f"s{k}", 4000) for k in range(8)]
    items(
        MixtureCorpus(
            speech,
            None,
            RATE,
            [Interferers.noises([Utterance(tmp_path / "bark.wav", label="dog")])],
        ),
        0,
    )


class Halved(Corpus):
    """Stands for a corpus that says something else than its files, and tells states."""

    states = 3

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        item = super().item(index, seed=seed, epoch=epoch)
        assert isinstance(item, Item)
        half = item.samples[: len(item.samples) // 2]
        return replace(item, samples=half, states=torch.tensor([epoch]))

    def state_dict(self) -> dict[str, Any]:
        return {"cuts": [1]}


def test_a_mixture_over_a_corpus_is_of_what_that_corpus_says(tmp_path: Path) -> None:
    speech = Halved([line(tmp_path, "s", 4000)], None, RATE)
    noise = Interferers.noises([line(tmp_path, "hum", 9000)])
    mixture = MixtureCorpus.over(speech, [noise])
    (item,) = items(mixture, 5)
    (said,) = [speech.item(0, epoch=5)]
    assert item.clean is not None and isinstance(said, Item)
    likeness = torch.nn.functional.cosine_similarity(item.clean, said.samples, dim=0)
    assert float(likeness) > 0.999 and len(item.samples) == 2000
    assert item.states is not None and item.states.tolist() == [5]
    assert (mixture.states, mixture.state_dict()) == (3, {"cuts": [1]})


def test_classes_that_are_left_out_must_occur() -> None:
    noises = [Utterance(Path("rain.wav")), Utterance(Path("1.wav"), label="wind")]
    assert [one.id for one in without_classes(noises, " wind ,", "--unseen")] == ["rain"]
    assert without_classes(noises, "", "--unseen") == noises
    with pytest.raises(ValueError, match=r"--unseen: .*\(rain, wind\); there is none of 'wnd'"):
        without_classes(noises, "rain, wnd", "--unseen")
    with pytest.raises(ValueError, match="there is none"):
        without_classes([], "rain", "--without")
