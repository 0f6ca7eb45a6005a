"""Several corpora as one, a small one heard again and again beside a large one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

from ctcasr.batch import Skip
from ctcasr.data.corpus import Corpus, Item


class JoinedCorpus(Corpus):
    """The utterances of corpora, one after the other; each as often an epoch as `repeats` says.

    An utterance that is heard again is augmented anew, as in another epoch.

    Raises:
        ValueError: for no corpora, for another number of repeats, and for other sample rates.

    Example:
        >>> from pathlib import Path
        >>> from ctcasr.batch import Utterance
        >>> small = Corpus([Utterance(Path("a.wav"), duration=1.0)], None, 16000)
        >>> large = Corpus([Utterance(Path("b.wav"), duration=2.0)] * 3, None, 16000)
        >>> JoinedCorpus([small, large], repeats=[2, 1]).durations
        (1.0, 1.0, 2.0, 2.0, 2.0)
    """

    def __init__(self, corpora: Sequence[Corpus], repeats: Sequence[int]) -> None:
        if not corpora or len(repeats) != len(corpora) or min(repeats) < 1:
            raise ValueError(
                "expected corpora, and of each how often it is heard, once or more; "
                f"got {len(corpora)} and {list(repeats)}"
            )
        rates_hz = {corpus.rate_hz for corpus in corpora}
        if len(rates_hz) > 1:
            raise ValueError(f"expected corpora of one sample rate; got {sorted(rates_hz)} Hz")
        utterances = []
        for corpus, times in zip(corpora, repeats, strict=True):
            utterances += [*corpus.utterances] * times
        super().__init__(utterances, corpora[0].tokenizer, corpora[0].rate_hz, cache_bytes=0)
        self.corpora = tuple(corpora)
        self.repeats = tuple(repeats)

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as `epoch` sees it."""
        part = bisect_right(self._ends, index)
        corpus = self.corpora[part]
        before = self._ends[part - 1] if part else 0
        repeat, own_index = divmod(index - before, len(corpus))
        own_epoch = epoch * self.repeats[part] + repeat
        return corpus.item(own_index, seed=seed, epoch=own_epoch)

    @cached_property
    def durations(self) -> tuple[float, ...]:
        """Seconds of each utterance."""
        seconds: list[float] = []
        for corpus, times in zip(self.corpora, self.repeats, strict=True):
            seconds += [*corpus.durations] * times
        return tuple(seconds)

    @cached_property
    def _ends(self) -> list[int]:
        """One past the last utterance of each corpus."""
        sizes = (
            len(corpus) * times for corpus, times in zip(self.corpora, self.repeats, strict=True)
        )
        return list(accumulate(sizes))


def repeats_for(share: float, small_s: float, large_s: float) -> int:
    """How often `small_s` seconds are heard to be about this share of all beside `large_s`.

    Example:
        >>> repeats_for(0.5, small_s=60, large_s=300)
        5
    """
    return max(1, round(share / (1 - share) * large_s / small_s))
