"""Sentences that nobody said: words of a talker, cut out of recordings and joined anew.

A small corpus says its few sentences again and again, and a network learns them by heart instead of
its sounds. Here the words are heard in ever other sentences ("aligned data augmentation": Lam et
al. 2021, arXiv 2104.01393), and no talker says what another one recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, Corpus, Item
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer
from ctcasr.word_times.aligner import WordAligner
from ctcasr.word_times.fit import learn_aligner, read_words, stride_to

MOST_S = 4 * 3600.0  # of recordings that are cut; a large corpus repeats itself less
WHOLE_EPOCHS = 1  # in the first epoch everything is heard as it was said
_ON_SHARE = 0.5  # that a piece goes on with the next word: two words on average
_MARGIN_S = 0.1  # around the first and the last word of a recording
_FADE_S = 0.005  # at both ends of a piece, against clicks
_FEWEST_WORDS = 2  # of a spliced sentence
MOST_MORE = 6  # words that it has beyond those of the utterance in whose place it stands


@dataclass(frozen=True)
class Cut:
    """The words of a recording, and where they are cut apart: in the middle of their gaps."""

    words: tuple[str, ...]
    edges_s: tuple[float, ...]  # one more than words

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


class SplicedCorpus(Corpus):
    """A corpus of which a share is heard as sentences that were made of its talkers' words.

    `cuts` are those of the utterances; one without a cut, and one whose speaker is not known, is
    heard as it is. A sentence takes the place of an utterance of the same talker and has as many
    words (but two or more) and up to six more, drawn in pieces of about two that were said one
    after the other. Of one that frames of `frame_s` seconds are too few to spell, the utterance is
    heard instead. All of it follows from (seed, epoch, index). The first epoch is heard as it was
    recorded. `durations` are those of the recordings. `aligner` found the cuts, if one did; other
    options are those of `Corpus`.

    Raises:
        ValueError: for another number of cuts, and for a share outside 0..1.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Tokenizer,
        rate_hz: int,
        cuts: Sequence[Cut | None],
        *,
        share: float = 0.5,
        speeds: Sequence[float] = (1.0,),
        frame_s: float = 0.0,
        aligner: WordAligner | None = None,
    ) -> None:
        super().__init__(utterances, tokenizer, rate_hz, speeds=speeds)
        if len(cuts) != len(utterances):
            raise ValueError(f"expected a cut for each of {len(utterances)}; got {len(cuts)}")
        _check_share(share)
        self.share = share
        self.frame_s = frame_s
        self.cuts = tuple(cuts)
        self.aligner = aligner
        self._of_speaker: dict[str, list[int]] = defaultdict(list)
        for index, (utterance, cut) in enumerate(zip(utterances, cuts, strict=True)):
            if cut is not None and utterance.speaker is not None:
                self._of_speaker[utterance.speaker].append(index)

    def state_dict(self) -> dict[str, Any]:
        """The cuts as plain data, for last.pt: found anew, they may lie elsewhere by a frame."""
        cuts = [None if cut is None else [cut.words, cut.edges_s] for cut in self.cuts]
        return {"cuts": cuts}

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as `epoch` hears it, or a sentence in its place."""
        item = super().item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip) or epoch < WHOLE_EPOCHS:
            return item
        sources = self._of_speaker.get(item.utterance.speaker or "", [])
        draw = Random(f"spliced {item.seed}")
        if not sources or draw.random() >= self.share:
            return item
        try:
            spliced = self._spliced(item, sources, draw)
        except AudioError:  # a source is gone since; in its own place it is skipped and told
            return item
        return spliced if self._has_room(spliced) else item

    def _spliced(self, item: Item, sources: Sequence[int], draw: Random) -> Item:
        """A sentence of pieces of the sources, in place of an item."""
        assert self.tokenizer is not None
        speed = self._speed(item.seed)
        fewest = max(_FEWEST_WORDS, len((item.utterance.text or "").split()))
        wanted = draw.randint(fewest, fewest + MOST_MORE)
        words: list[str] = []
        pieces: list[Tensor] = []
        while len(words) < wanted:
            source = draw.choice(sources)
            cut = self.cuts[source]
            assert cut is not None
            count = min(_drawn_words(draw), wanted - len(words), len(cut.words))
            first = draw.randrange(len(cut.words) - count + 1)
            words += cut.words[first : first + count]
            start_s = cut.edges_s[first]
            end_s = cut.edges_s[first + count]
            pieces.append(self._piece(source, start_s, end_s, speed))
        text = " ".join(words)
        samples = torch.cat(pieces)
        utterance = replace(
            item.utterance,
            text=text,
            duration=samples.shape[0] / self.rate_hz,
            name=f"{item.utterance.id}, spliced",
            made=True,
        )
        return Item(utterance, samples, self.tokenizer.encode(text), item.seed)

    def _has_room(self, item: Item) -> bool:
        """Whether its frames can spell its tokens, with a blank between equal ones."""
        repeats = sum(token == following for token, following in pairwise(item.tokens))
        frames = len(item.tokens) + repeats + 1  # the last one may not be whole
        return item.samples.shape[0] >= frames * self.frame_s * self.rate_hz

    def _piece(self, source: int, start_s: float, end_s: float, speed: float) -> Tensor:
        """Samples of a recording between two times, faded at both ends."""
        samples = self._samples(source, speed)
        start = round(start_s / speed * self.rate_hz)
        end = round(end_s / speed * self.rate_hz)
        piece = samples[start:end].clone()
        fade = min(round(_FADE_S * self.rate_hz), piece.shape[0] // 2)
        ramp = torch.linspace(0, 1, fade)
        piece[:fade] *= ramp
        piece[piece.shape[0] - fade :] *= ramp.flip(0)
        return piece


def _check_share(share: float) -> None:
    """ValueError for what is no share."""
    if not 0 <= share <= 1:
        raise ValueError(f"expected 0 to 1 as the share to splice; got {share}")


def splicing_told(utterances: Sequence[Utterance], share: float) -> str:
    """What is going to be spliced, in words.

    Example:
        >>> from pathlib import Path
        >>> splicing_told([Utterance(Path("a.wav"), speaker="s1")], share=0.7)
        'finding the words of 1 utterance by 1 speaker, to splice sentences of them'
    """
    speakers = [utterance.speaker for utterance in utterances if utterance.speaker is not None]
    if not share:
        return "no sentences are spliced"
    if not speakers:
        return "no sentences are spliced: no line says who speaks (`speaker`)"
    spoken = plural(len(speakers), "utterance")
    talkers = plural(len(set(speakers)), "speaker")
    return f"finding the words of {spoken} by {talkers}, to splice sentences of them"


def spliced_corpus(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    rate_hz: int,
    share: float,
    speeds: Sequence[float] = (1.0,),
    frame_s: float = 0.0,
    saved: Mapping[str, Any] | None = None,
) -> Corpus:
    """A corpus that is spliced where an aligner, learnt from it, finds the words.

    A plain one where the share is 0, where no speaker is known, and where nothing can be learnt.
    With last.pt of a run (`saved`) it is cut as it was then.

    Raises:
        ValueError: for a share outside 0..1.
    """
    _check_share(share)
    aligner = None
    cuts: Sequence[Cut | None] = _saved_cuts(saved or {})
    if not share or all(utterance.speaker is None for utterance in utterances):
        return Corpus(utterances, tokenizer, rate_hz, speeds=speeds)
    if len(cuts) != len(utterances):
        aligner = learn_aligner(utterances, tokenizer, rate_hz)
        if aligner is None:
            return Corpus(utterances, tokenizer, rate_hz, speeds=speeds)
        cuts = find_cuts(aligner, utterances, tokenizer)
    return SplicedCorpus(
        utterances,
        tokenizer,
        rate_hz,
        cuts,
        share=share,
        speeds=speeds,
        frame_s=frame_s,
        aligner=aligner,
    )


def _saved_cuts(payload: Mapping[str, Any]) -> list[Cut | None]:
    """The cuts that a run wrote into last.pt; none of one that wrote none."""
    state = payload.get("training", {}).get("corpus", {})
    cuts: list[Cut | None] = []
    for saved in state.get("cuts", []):
        cut = None
        if saved is not None:
            words, edges_s = saved
            cut = Cut(tuple(words), tuple(edges_s))
        cuts.append(cut)
    return cuts


def find_cuts(
    aligner: WordAligner, utterances: Sequence[Utterance], tokenizer: Tokenizer
) -> list[Cut | None]:
    """Where the words of utterances may be cut apart.

    None for one that cannot be read, and where the words find no room. Of many hours some
    utterances, evenly chosen, are cut.
    """
    cuts: list[Cut | None] = [None] * len(utterances)
    for index in range(0, len(utterances), stride_to(MOST_S, utterances)):
        cuts[index] = _cut(aligner, utterances[index], tokenizer)
    return cuts


def _cut(aligner: WordAligner, utterance: Utterance, tokenizer: Tokenizer) -> Cut | None:
    """Where the words of an utterance may be cut apart, if they are found."""
    clip = read_words(utterance, tokenizer, aligner.rate_hz)
    if clip is None:
        return None
    samples, words = clip
    times_s = aligner.times(samples, words)
    if times_s is None:
        return None
    return Cut.of(words, times_s, samples.shape[0] / aligner.rate_hz)


def _drawn_words(draw: Random) -> int:
    """How many words a piece has: each goes on to the next with a probability of a half."""
    count = 1
    while draw.random() < _ON_SHARE:
        count += 1
    return count
