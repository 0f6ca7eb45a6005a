"""Clips of like lengths go together, each once, whatever the size of a batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ctcasr.decoding.decoder import Decoder
from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.recognise.transcribing import Transcribing, batches_by_length
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from tests.recognise.helpers import noise

SECONDS = st.lists(st.floats(0.01, 30.0), max_size=20)


@given(seconds=SECONDS, batch_seconds=st.floats(0.001, 1000.0))
def test_every_clip_is_in_one_batch_and_no_batch_is_too_long(
    seconds: list[float], batch_seconds: float
) -> None:
    batches = list(batches_by_length(seconds, batch_seconds))
    assert sorted(index for batch in batches for index in batch) == list(range(len(seconds)))
    for batch in batches:
        longest = max(seconds[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= batch_seconds * (1 + 1e-9)
    longests = [max(seconds[index] for index in batch) for batch in batches]
    assert longests == sorted(longests, reverse=True)


class Lengths(Transcribing):
    """Writes how many samples it was given."""

    tokenizer = Alphabet("abc ")
    rate_hz = 8000  # type: ignore[assignment]

    def decode_batch(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        words = (Word("a", 0.0, 0.5), Word("b", 0.5, 99.0), Word("c", 99.0, 99.5))
        found = Hypothesis("", words, (), 0.0)
        return [Hypothesis(str(n), words, (), 0.0, (found,)) for n in samples.lengths]


def test_no_word_ends_after_its_recording() -> None:
    hypotheses = Lengths().transcribe([noise(n) for n in (8000, 2000, 12000)], 8000)
    for hypothesis, seconds in zip(hypotheses, (1.0, 0.25, 1.5), strict=True):
        for one in (hypothesis, *hypothesis.others):
            assert [word.text for word in one.words] == ["a", "b", "c"]
            assert one.words[0].end_s == min(0.5, seconds)
            assert one.words[1].end_s == one.words[2].start_s == one.words[2].end_s == seconds


def test_hypotheses_come_in_the_order_of_the_clips() -> None:
    lengths = [300, 9000, 1, 4000]
    for batch_seconds in (0.1, 1.0, 100.0):
        hypotheses = Lengths().transcribe([noise(n) for n in lengths], 8000, batch_seconds)
        assert [hypothesis.text for hypothesis in hypotheses] == [str(n) for n in lengths]
    assert Lengths().transcribe([]) == []
