from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Skip, Utterance
from ctcasr.data import Corpus, Item, read_manifest
from ctcasr.text import Alphabet
from ctcasr.word_times import Cut, SplicedCorpus, spliced_corpus, splicing_told
from ctcasr.word_times.cuts import UNKNOWN
from ctcasr.word_times.spliced import MOST_MORE

RATE = 8000
WORD_S = 0.25
GAP_S = 0.05
TONE_HZ = {"one": 200.0, "two": 400.0, "three": 600.0, "four": 800.0, "five": 1000.0}
OWN_WORDS = {"ann": ["one", "two", "three"], "bob": ["four", "five"]}
ALPHABET = Alphabet.english38()


def said(words: list[str]) -> tuple[Tensor, list[tuple[float, float]]]:
    """A tone for each word with gaps between, and the words' times."""
    pieces = []
    times = []
    place_s = GAP_S
    pieces.append(torch.zeros(round(GAP_S * RATE)))
    seconds = torch.arange(round(WORD_S * RATE)) / RATE
    for word in words:
        pieces.append(torch.sin(2 * torch.pi * TONE_HZ[word] * seconds))
        pieces.append(torch.zeros(round(GAP_S * RATE)))
        times.append((place_s, place_s + WORD_S))
        place_s += WORD_S + GAP_S
    return torch.cat(pieces), times


def heard(samples: Tensor, words: int, speed: float = 1.0) -> list[str]:
    """The words whose tones sound, one after the other in equal parts."""
    names = []
    for part in samples.chunk(words):
        spectrum = torch.fft.rfft(part).abs()
        hz = float(spectrum.argmax()) * RATE / part.shape[0] / speed
        names.append(min(TONE_HZ, key=lambda word: abs(TONE_HZ[word] - hz)))
    return names


def corpus(folder: Path, **options: Any) -> SplicedCorpus:
    """Sentences of two talkers, who have no word in common."""
    utterances = []
    cuts = []
    for speaker, own in OWN_WORDS.items():
        for take in range(6):
            words = [own[(take + place) % len(own)] for place in range(1 + take % 4)]
            samples, times_s = said(words)
            path = folder / f"{speaker}{take}.wav"
            soundfile.write(path, samples.numpy(), RATE)
            text = " ".join(words)
            utterances.append(
                Utterance(path, duration=len(samples) / RATE, text=text, speaker=speaker)
            )
            cuts.append(Cut.of(words, times_s, len(samples) / RATE))
    return SplicedCorpus(utterances, ALPHABET, RATE, cuts, **{"share": 1.0, **options})


def item_of(corpus: Corpus, index: int, **place: int) -> Item:
    item = corpus.item(index, **place)
    assert isinstance(item, Item)
    return item


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.2])
def test_what_is_written_is_what_sounds_in_the_talkers_own_words(
    tmp_path: Path, speed: float
) -> None:
    spliced = corpus(tmp_path, speeds=[speed])
    texts = set()
    for epoch in range(1, 6):
        for index, utterance in enumerate(spliced.utterances):
            item = item_of(spliced, index, epoch=epoch)
            words = (item.utterance.text or "").split()
            assert heard(item.samples, len(words), speed) == words
            assert set(words) <= set(OWN_WORDS[utterance.speaker or ""])
            fewest = max(2, len((utterance.text or "").split()))
            assert fewest <= len(words) <= fewest + MOST_MORE
            assert item.tokens == ALPHABET.encode(" ".join(words))
            assert item.utterance.duration == len(item.samples) / RATE
            assert item.utterance.made and item.utterance.id == f"{utterance.id}, spliced"
            texts.add(item.utterance.text)
    assert texts - {utterance.text for utterance in spliced.utterances}


def test_all_of_it_follows_from_seed_epoch_and_index(tmp_path: Path) -> None:
    first = corpus(tmp_path)
    again = corpus(tmp_path)
    texts = []
    for seed, epoch in ((0, 1), (0, 2), (1, 1)):
        one = item_of(first, 3, seed=seed, epoch=epoch)
        other = item_of(again, 3, seed=seed, epoch=epoch)
        assert torch.equal(one.samples, other.samples)
        texts.append(one.utterance.text)
    assert len(set(texts)) > 1


def test_the_first_epoch_and_the_rest_of_the_share_are_heard_as_recorded(tmp_path: Path) -> None:
    spliced = corpus(tmp_path, share=0.5)
    plain = Corpus(spliced.utterances, ALPHABET, RATE)
    made = 0
    for epoch in range(21):
        for index in range(len(spliced)):
            item = item_of(spliced, index, epoch=epoch)
            if item.utterance.made:
                made += 1
                assert epoch > 0
            else:
                assert torch.equal(item.samples, item_of(plain, index).samples)
    assert 0.4 < made / (20 * len(spliced)) < 0.6


def test_what_its_frames_cannot_spell_is_heard_as_recorded(tmp_path: Path) -> None:
    frame_s = 0.065
    unlimited = corpus(tmp_path)
    limited = corpus(tmp_path, frame_s=frame_s)
    outcomes = set()
    for index in range(len(limited)):
        spliced = item_of(unlimited, index, epoch=1)
        item = item_of(limited, index, epoch=1)
        twice_in_a_row = spliced.utterance.text.count("ee")  # of "three"; a blank is between
        needed = len(spliced.tokens) + twice_in_a_row
        frames = int(len(spliced.samples) / RATE / frame_s)
        assert item.utterance.made == (frames > needed)
        outcomes.add(item.utterance.made)
    assert outcomes == {False, True}


def test_without_a_speaker_or_a_cut_nothing_is_made(tmp_path: Path) -> None:
    known = corpus(tmp_path)
    nobody = [Utterance(u.audio_filepath, u.duration, u.text) for u in known.utterances]
    for utterances, cuts in ((nobody, known.cuts), (known.utterances, [None] * len(known))):
        spliced = SplicedCorpus(utterances, ALPHABET, RATE, cuts, share=1.0)
        for index in range(len(spliced)):
            assert not item_of(spliced, index, epoch=1).utterance.made


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.2])
def test_states_tell_which_word_sounds_when(tmp_path: Path, speed: float) -> None:
    known = corpus(tmp_path)
    names = list(TONE_HZ)
    cuts = []
    for utterance in known.utterances:
        words = (utterance.text or "").split()
        samples, times_s = said(words)
        states = [0] * round(len(samples) / RATE * 100)
        for word, (start_s, end_s) in zip(words, times_s, strict=True):
            for frame in range(round(start_s * 100), round(end_s * 100)):
                states[frame] = 1 + names.index(word)
        cuts.append(replace(Cut.of(words, times_s, len(samples) / RATE), states=tuple(states)))
    spliced = SplicedCorpus(
        known.utterances, ALPHABET, RATE, cuts, share=0.5, speeds=[speed], states=6
    )
    made = 0
    for epoch in range(3):
        for index in range(len(spliced)):
            item = item_of(spliced, index, epoch=epoch)
            assert item.states is not None
            made += item.utterance.made
            assert abs(len(item.states) - 100 * len(item.samples) / RATE) <= 1
            told = [int(state) for state in item.states.unique_consecutive() if state]
            assert [names[state - 1] for state in told] == (item.utterance.text or "").split()
            for frame in range(1, len(item.states) - 1):
                around = item.states[frame - 1 : frame + 2]
                start = frame * RATE // 100
                sound = item.samples[start : start + RATE // 100].abs().max()
                if bool((around > 0).all()):
                    assert sound > 0.5
                if bool((around == 0).all()):
                    assert sound < 0.1
    assert 0 < made < 3 * len(spliced)


def test_of_an_utterance_without_a_cut_no_state_is_known(tmp_path: Path) -> None:
    known = corpus(tmp_path)
    cuts = [None] * len(known)
    item = item_of(SplicedCorpus(known.utterances, ALPHABET, RATE, cuts, states=6), 0, epoch=1)
    assert item.states is not None and set(item.states.tolist()) == {UNKNOWN}
    assert item_of(known, 0, epoch=1).states is None, "and none are asked for"


def test_what_cannot_be_read_is_a_skip_and_no_source(tmp_path: Path) -> None:
    known = corpus(tmp_path)
    gone = Utterance(tmp_path / "gone.wav", 1.0, "one", speaker="ann")
    spliced = SplicedCorpus([*known.utterances, gone], ALPHABET, RATE, [*known.cuts, None])
    assert isinstance(spliced.item(len(known), epoch=1), Skip)


def test_a_source_that_is_gone_since_stops_nothing(tmp_path: Path) -> None:
    spliced = corpus(tmp_path)
    for utterance in spliced.utterances[1:6]:  # all of ann's but the first
        utterance.audio_filepath.unlink()
    heard_whole = 0
    for epoch in range(1, 20):
        item = item_of(spliced, 0, epoch=epoch)
        heard_whole += not item.utterance.made
        assert isinstance(spliced.item(1, epoch=epoch), Skip)
    assert heard_whole > 0


def test_pictures_are_cut_by_the_sound_and_words_that_are_not_shown_are_not_asked_for(
    tmp_path: Path,
) -> None:
    known = corpus(tmp_path)
    unseen = known.utterances[1].id

    def read(utterance: Utterance, speed: float) -> Tensor:
        """25 pictures a second, each of which shows when it was taken; one video ends early."""
        assert speed == 1.0
        count = round(25 * (utterance.duration or 0.0))
        if utterance.id == unseen:
            count = 3
        return torch.arange(count, dtype=torch.uint8)[:, None, None].expand(count, 2, 2)

    spliced = SplicedCorpus(known.utterances, ALPHABET, 25, known.cuts, share=1.0, read=read)
    made = 0
    for epoch in range(1, 12):
        for index in (0, 2, 3):
            item = item_of(spliced, index, epoch=epoch)
            words = len((item.utterance.text or "").split())
            made += item.utterance.made
            assert item.samples.dtype == torch.uint8
            assert item.samples.shape[0] >= words * 25 * WORD_S - 1
    assert 0 < made < 33, "some would have needed the video that ends"


def test_shares_and_numbers_of_cuts_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1 as the share to splice"):
        corpus(tmp_path, share=1.5)
    with pytest.raises(ValueError, match="expected 0 to 1 as the share to splice"):
        spliced_corpus([], ALPHABET, RATE, share=-0.1)
    with pytest.raises(ValueError, match="a cut for each of 1; got 0"):
        SplicedCorpus([Utterance(Path("a.wav"))], ALPHABET, RATE, [])


def test_a_run_that_goes_on_is_cut_as_it_was(tmp_path: Path) -> None:
    known = corpus(tmp_path, speeds=[0.9, 1.1])
    checkpoint.save(tmp_path / "last.pt", {"training": {"corpus": known.state_dict()}})
    saved = checkpoint.load(tmp_path / "last.pt")
    again = spliced_corpus(known.utterances, ALPHABET, RATE, 1.0, [0.9, 1.1], saved=saved)
    assert isinstance(again, SplicedCorpus) and again.cuts == known.cuts
    for index in range(len(known)):
        one = item_of(known, index, epoch=2)
        assert torch.equal(one.samples, item_of(again, index, epoch=2).samples)


def test_a_corpus_finds_its_own_cuts(data_root: Path) -> None:
    utterances = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:40]
    told: list[tuple[int, int]] = []
    spliced = spliced_corpus(
        utterances, ALPHABET, 16000, share=1.0, report=lambda *done: told.append(done)
    )
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)] and len(told) > 40
    assert isinstance(spliced, SplicedCorpus) and spliced.aligner is not None
    assert sum(cut is not None for cut in spliced.cuts) == len(utterances)
    item = item_of(spliced, 0, epoch=1)
    for_a_worker = pickle.loads(pickle.dumps(spliced))
    assert torch.equal(item_of(for_a_worker, 0, epoch=1).samples, item.samples)
    words = (item.utterance.text or "").split()
    assert item.utterance.made and 6 <= len(words) <= 6 + MOST_MORE
    assert 0.1 < item.samples.shape[0] / 16000 / len(words) < 0.8


def test_without_a_share_or_a_speaker_a_corpus_is_plain_and_says_so() -> None:
    nobody = [Utterance(Path("a.wav"), text="one")]
    somebody = [Utterance(Path("a.wav"), text="one", speaker="ann")]
    assert type(spliced_corpus(somebody, ALPHABET, 16000, share=0.0)) is Corpus
    assert type(spliced_corpus(nobody, ALPHABET, 16000, share=0.7)) is Corpus
    silent = spliced_corpus(somebody, ALPHABET, 16000, share=0.7, states=True)
    assert type(silent) is Corpus and not silent.states, "no sound, nothing to learn"
    assert splicing_told(somebody, 0.0) == "no sentences are spliced"
    assert "no line says who speaks" in splicing_told(nobody, 0.7)
