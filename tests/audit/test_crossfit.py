"""Cross-fitting: every line is judged once, by a network that did not learn it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.audit import Heard, LineVerdict, Training, cross_fit, crossfit
from ctcasr.audit.crossfit import believed_line, folds_of
from ctcasr.batch import Utterance
from ctcasr.records import EpochRecord
from ctcasr.text import Alphabet
from ctcasr.word_times import spliced_corpus
from tests.recognise.helpers import noise
from tests.word_times.tones import RATE, say

SMALL = "default conv=[] layers=1 hidden=4 front.rate_hz=8000"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    folder: Path = tmp_path_factory.mktemp("corpus")
    made = []
    for number in range(40):
        path = folder / f"u{number}.wav"
        soundfile.write(path, noise(3200, seed=number).numpy(), 8000)
        made.append(Utterance(path, 0.4, "ab" if number % 2 else "c", where=f"m.jsonl:{number}"))
    return made


def test_folds_are_disjoint_and_even():
    folds = folds_of(11, 3, seed=1)
    assert sorted(index for fold in folds for index in fold) == list(range(11))
    assert {len(fold) for fold in folds} == {3, 4}
    assert folds != folds_of(11, 3, seed=2)


def test_no_line_is_judged_by_a_network_that_learnt_it(lines):
    told = []
    training = Training(net=SMALL, epochs=2, device="cpu", folds=2)
    result = cross_fit(lines, Alphabet("abc "), training, lambda *told_of: told.append(told_of))
    assert [one.utterance for one in result.heard] == lines
    assert result.skipped == []
    epochs = [record for _, record in told if isinstance(record, EpochRecord)]
    assert len(epochs) == 4 and {fold for fold, _ in told} == {"fold 1 of 2", "fold 2 of 2"}
    # With two folds each line is learnt in one of the two trainings: a loss for each of its epochs.
    assert {line.full_name for line in lines} == set(result.dynamics)
    assert {len(losses) for losses in result.dynamics.values()} == {2}


def test_a_second_round_learns_what_the_first_believes(lines, monkeypatch):
    learnt = []

    def listen_in(utterances, *arguments, **options):
        learnt.append({line.full_name: line.text for line in utterances})
        return spliced_corpus(utterances, *arguments, **options)

    def believes(verdict):
        """As if "c" had been heard as "a", and every fourth line as nothing."""
        line = verdict.heard.utterance
        if line.full_name in left_out:
            return None
        return replace(line, text="a") if line.text == "c" else line

    left_out = {line.full_name for line in lines[::4]}
    monkeypatch.setattr(crossfit, "FEWEST", 30)
    monkeypatch.setattr(crossfit, "spliced_corpus", listen_in)
    monkeypatch.setattr(crossfit, "believed_line", believes)
    told = []
    training = Training(net=SMALL, epochs=1, device="cpu", rounds=2)
    result = cross_fit(lines, Alphabet("abc "), training, lambda fold, _: told.append(fold))
    assert [one.utterance for one in result.heard] == lines  # as they are written, not believed
    first, second, third, fourth = learnt
    assert first.keys() | second.keys() == {line.full_name for line in lines}
    for again, before in ((third, first), (fourth, second)):
        assert again.keys() == before.keys() - left_out  # the same folds
        assert set(again.values()) == {"a", "ab"}
    assert "round 2 of 2, fold 1 of 2" in told
    assert {len(losses) for losses in result.dynamics.values()} == {1}


@pytest.fixture(scope="module")
def spoken_lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Utterance], str]:
    """Lines of tones as words, of which the first has a wrong one; and what it should be."""
    folder: Path = tmp_path_factory.mktemp("tones")
    made = []
    for seed in range(40):
        said = say(seed)
        path = folder / f"{seed}.wav"
        soundfile.write(path, said.samples.numpy(), RATE)
        made.append(Utterance(path, 2.0, " ".join(said.words), where=f"m.jsonl:{seed}"))
    truth = made[0].text or ""
    words = truth.split()
    made[0] = replace(made[0], text=" ".join([words[0], words[0], *words[2:]]))
    return made, truth


@pytest.mark.parametrize("doubt", [True, False])
def test_models_of_words_say_what_is_learnt_and_judge(spoken_lines, monkeypatch, doubt):
    lines, truth = spoken_lines
    learnt = {}

    def listen_in(utterances, *arguments, **options):
        learnt.update({line.full_name: line.text for line in utterances})
        return spliced_corpus(utterances, *arguments, **options)

    monkeypatch.setattr(crossfit, "spliced_corpus", listen_in)
    training = Training(net=SMALL, epochs=1, device="cpu", doubt=doubt)
    result = cross_fit(lines, Alphabet.english38(), training)
    first = result.heard[0]
    assert first.utterance == lines[0]  # judged as it is written
    assert {line.sound is not None for line in result.heard} == {doubt}
    assert learnt[lines[0].full_name] == (truth if doubt else lines[0].text)
    # Losses are told of what is written alone.
    assert (lines[0].full_name in result.dynamics) != doubt
    if first.sound:
        as_written, as_said = first.sound.nats([first.text, truth])
        assert as_said > as_written + 1


def test_where_nothing_is_believed_the_first_round_stands(lines, monkeypatch):
    monkeypatch.setattr(crossfit, "believed_line", lambda verdict: None)
    training = Training(net=SMALL, epochs=1, device="cpu", rounds=3)
    with pytest.warns(UserWarning, match="round 2 is left out"):
        result = cross_fit(lines, Alphabet("abc "), training)
    assert len(result.heard) == 40


@pytest.mark.parametrize(
    ("kind", "share", "text"),
    [
        ("right", 0.0, "as written"),
        ("missing", 0.0, "as suggested"),
        ("swapped", 0.9, "the partner's"),
        ("swapped", 0.4, None),
        ("no-speech", 0.0, None),
    ],
)
def test_what_is_believed_of_a_line(kind, share, text):
    line = Utterance(Path("a.wav"), 1.0, "as written")
    heard = Heard(line, "as written", torch.zeros(1, 2), "")
    wrong = 0.0 if kind == "right" else 0.9
    kinds = {kind: 1.0}
    verdict = LineVerdict(heard, wrong, kinds, (), "as suggested", "the partner's", share, 1.0)
    believed = believed_line(verdict)
    assert (believed.text if believed else None) == text


def test_spliced_sentences_are_no_lines(lines):
    spoken = [replace(line, speaker="generator") for line in lines]
    training = Training(net=SMALL, epochs=4, device="cpu", splice=0.5)
    result = cross_fit(spoken, Alphabet("abc "), training)
    assert set(result.dynamics) == {line.full_name for line in spoken}
    times_heard = [len(losses) for losses in result.dynamics.values()]
    assert min(times_heard) >= 1  # in the first epoch every line is heard as it stands
    assert len(spoken) < sum(times_heard) < 4 * len(spoken)


def test_a_budget_is_shared_among_the_folds(lines):
    training = Training(net=SMALL, budget="2s", device="cpu")
    result = cross_fit(lines, Alphabet("abc "), training)
    assert len(result.heard) == 40


def test_too_little_is_refused(lines):
    with pytest.raises(ValueError, match="audit fewer lines by a checkpoint"):
        cross_fit(lines[:39], Alphabet("abc "), Training())
    with pytest.raises(ValueError, match="two folds"):
        cross_fit(lines, Alphabet("abc "), Training(folds=1))
