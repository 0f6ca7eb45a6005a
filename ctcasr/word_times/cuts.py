"""Where the words of recordings may be cut apart, and what is heard in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data.corpus import STATES_HZ
from ctcasr.text import Tokenizer
from ctcasr.word_times.aligner import HOP_S, WordAligner
from ctcasr.word_times.fit import After, read_words, stride_to, unheeded

MOST_S = 4 * 3600.0  # of recordings that are cut; a large corpus repeats itself less
UNKNOWN = -100  # the state of frames that nobody has aligned; torch's cross_entropy ignores it
_MARGIN_S = 0.1  # around the first and the last word of a recording

assert round(STATES_HZ * HOP_S) == 1


@dataclass(frozen=True)
class Cut:
    """The words of a recording, and where they are cut apart: in the middle of their gaps."""

    words: tuple[str, ...]
    edges_s: tuple[float, ...]  # one more than words
    states: tuple[int, ...] = ()  # what an aligner heard, STATES_HZ a second

    @staticmethod
    def of(words: Sequence[str], times_s: Sequence[tuple[float, float]], length_s: float) -> Cut:
        """The cut of words by their starts and ends.

        Example:
            >>> Cut.of(["two", "six"], [(0.25, 0.5), (0.75, 1.0)], length_s=2.0).edges_s
            (0.15, 0.625, 1.1)
        """
        first_s, _ = times_s[0]
        _, last_s = times_s[-1]
        edges_s = [max(0.0, first_s - _MARGIN_S)]
        for (_, end_s), (start_s, _) in pairwise(times_s):
            edges_s.append((end_s + start_s) / 2)
        edges_s.append(min(length_s, last_s + _MARGIN_S))
        return Cut(tuple(words), tuple(edges_s))

    def states_between(self, start_s: float, end_s: float, count: int) -> Tensor:
        """`count` frames, int64, of what was heard between two times; UNKNOWN where nobody did.

        Example:
            >>> Cut(("a",), (0.0, 0.04), states=(0, 0, 7, 7)).states_between(0.0, 0.04, 2).tolist()
            [0, 7]
        """
        if not self.states:
            return torch.full([count], UNKNOWN)
        middles_s = start_s + (torch.arange(count) + 0.5) * (end_s - start_s) / max(1, count)
        places = (middles_s * STATES_HZ).floor().long()
        return torch.tensor(self.states)[places.clamp(0, len(self.states) - 1)]


def saved_cuts(payload: Mapping[str, Any]) -> tuple[list[Cut | None], int]:
    """The cuts that a run wrote into last.pt, and how many states there are; none of most runs."""
    corpus = payload.get("training", {}).get("corpus", {})
    cuts: list[Cut | None] = []
    for saved in corpus.get("cuts", []):
        cut = None
        if saved is not None:
            words, edges_s, *states = saved
            cut = Cut(tuple(words), tuple(edges_s), *map(tuple, states))
        cuts.append(cut)
    return cuts, corpus.get("states", 0)


def places_to_cut(utterances: Sequence[Utterance]) -> range:
    """Of many hours some utterances, evenly chosen."""
    return range(0, len(utterances), stride_to(MOST_S, utterances))


def find_cuts(
    aligner: WordAligner,
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    after_each: After = unheeded,
) -> list[Cut | None]:
    """Where the words of utterances may be cut apart.

    None for one that cannot be read, where the words find no room, and for those that are not
    among `places_to_cut`. `after_each` of these is called when it was heard.
    """
    cuts: list[Cut | None] = [None] * len(utterances)
    for index in places_to_cut(utterances):
        cuts[index] = _cut(aligner, utterances[index], tokenizer)
        after_each()
    return cuts


def _cut(aligner: WordAligner, utterance: Utterance, tokenizer: Tokenizer) -> Cut | None:
    """Where the words of an utterance may be cut apart, if they are found."""
    clip = read_words(utterance, tokenizer, aligner.rate_hz)
    if clip is None:
        return None
    samples, words = clip
    alignment = aligner.align(samples, words)
    if alignment is None:
        return None
    cut = Cut.of(words, alignment.times_s, samples.shape[0] / aligner.rate_hz)
    return replace(cut, states=tuple(alignment.columns.tolist()))
