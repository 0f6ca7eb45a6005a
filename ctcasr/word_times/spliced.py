"""Sentences that nobody said: words of a talker, cut out of recordings and joined anew.

A small corpus says its few sentences again and again, and a network learns them by heart instead of
its sounds. Here the words are heard in ever other sentences ("aligned data augmentation": Lam et
al. 2021, arXiv 2104.01393), and no talker says what another one recorded.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, Corpus, Item
from ctcasr.data.corpus import STATES_HZ, Read, has_room
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer
from ctcasr.word_times.aligner import WordAligner
from ctcasr.word_times.cuts import Cut, find_cuts, places_to_cut, saved_cuts
from ctcasr.word_times.fit import After, hearings, learn_aligner, unheeded

Report = Callable[[int, int], None]  # how many are done, of how many
WHOLE_EPOCHS = 1  # in the first epoch everything is heard as it was said
_ON_SHARE = 0.5  # that a piece goes on with the next word: two words on average
_FADE_S = 0.005  # at both ends of a piece, against clicks
_FEWEST_WORDS = 2  # of a spliced sentence
MOST_MORE = 6  # words that it has beyond those of the utterance in whose place it stands
HEARD_HZ = 16000  # at which an aligner hears recordings of whose videos a network learns


class SplicedCorpus(Corpus):
    """A corpus of which a share is heard as sentences that were made of its talkers' words.

    `cuts` are those of the utterances; one without a cut, and one whose speaker is not known, is
    heard as it is. A sentence takes the place of an utterance of the same talker and has as many
    words (but two or more) and up to six more, drawn in pieces of about two that were said one
    after the other. Of one that frames of `frame_s` seconds are too few to spell, the utterance is
    heard instead. All of it follows from (seed, epoch, index). The first epoch is heard as it was
    recorded. `durations` are those of the recordings. `aligner` found the cuts, if one did. With a
    number of `states` above 0, items tell which of them is heard when. Other options are those of
    `Corpus`.

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
        states: int = 0,
        read: Read | None = None,
    ) -> None:
        super().__init__(utterances, tokenizer, rate_hz, speeds=speeds, read=read)
        if len(cuts) != len(utterances):
            raise ValueError(f"expected a cut for each of {len(utterances)}; got {len(cuts)}")
        _check_share(share)
        self.share = share
        self.frame_s = frame_s
        self.cuts = tuple(cuts)
        self.aligner = aligner
        self.states = states
        self._of_speaker: dict[str, list[int]] = defaultdict(list)
        for index, (utterance, cut) in enumerate(zip(utterances, cuts, strict=True)):
            if cut is not None and utterance.speaker is not None:
                self._of_speaker[utterance.speaker].append(index)

    def state_dict(self) -> dict[str, Any]:
        """The cuts as plain data, for last.pt: found anew, they may lie elsewhere by a frame."""
        cuts: list[list[Any] | None] = []
        for cut in self.cuts:
            if cut is None:
                cuts.append(None)
                continue
            states = cut.states if self.states else ()  # of hours they are many
            cuts.append([cut.words, cut.edges_s, states])
        return {"cuts": cuts, "states": self.states}

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as `epoch` hears it, or a sentence in its place."""
        item = super().item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip):
            return item
        item = self._with_states(item, self.cuts[index])
        if epoch < WHOLE_EPOCHS:
            return item
        sources = self._of_speaker.get(item.utterance.speaker or "", [])
        draw = Random(f"spliced {item.seed}")
        if not sources or draw.random() >= self.share:
            return item
        try:
            spliced = self._spliced(item, sources, draw)
        except AudioError:  # a source is gone since, in its own place it is told; or too short
            return item
        return spliced if has_room(spliced, self.rate_hz, self.frame_s) else item

    def _with_states(self, item: Item, cut: Cut | None) -> Item:
        """The item, with what is heard when where that is learnt."""
        if not self.states:
            return item
        length_s = item.samples.shape[0] / self.rate_hz
        heard = cut or Cut((), ())
        end_s = length_s * self._speed(item.seed)
        states = heard.states_between(0.0, end_s, max(1, round(length_s * STATES_HZ)))
        return replace(item, states=states)

    def _spliced(self, item: Item, sources: Sequence[int], draw: Random) -> Item:
        """A sentence of pieces of the sources, in place of an item."""
        assert self.tokenizer is not None
        speed = self._speed(item.seed)
        fewest = max(_FEWEST_WORDS, len((item.utterance.text or "").split()))
        wanted = draw.randint(fewest, fewest + MOST_MORE)
        words: list[str] = []
        pieces: list[Tensor] = []
        states: list[Tensor] = []
        length = 0
        while len(words) < wanted:
            source = draw.choice(sources)
            cut = self.cuts[source]
            assert cut is not None
            count = min(_drawn_words(draw), wanted - len(words), len(cut.words))
            first = draw.randrange(len(cut.words) - count + 1)
            words += cut.words[first : first + count]
            start_s = cut.edges_s[first]
            end_s = cut.edges_s[first + count]
            piece = self._piece(source, start_s, end_s, speed)
            pieces.append(piece)
            if self.states:
                frames = self._state_frames(length + piece.shape[0]) - self._state_frames(length)
                states.append(cut.states_between(start_s, end_s, frames))
            length += piece.shape[0]
        text = " ".join(words)
        samples = torch.cat(pieces)
        utterance = replace(
            item.utterance,
            text=text,
            duration=samples.shape[0] / self.rate_hz,
            name=f"{item.utterance.id}, spliced",
            made=True,
        )
        spliced = Item(utterance, samples, self.tokenizer.encode(text), item.seed)
        if not self.states:
            return spliced
        return replace(spliced, states=torch.cat(states))

    def _state_frames(self, samples: int) -> int:
        """Frames of an aligner in so many samples."""
        return round(samples / self.rate_hz * STATES_HZ)

    def _piece(self, source: int, start_s: float, end_s: float, speed: float) -> Tensor:
        """Samples of a recording between two times, faded at both ends; or frames of its video.

        AudioError where a video ends before that.
        """
        samples = self._samples(source, speed)
        start = round(start_s / speed * self.rate_hz)
        end = round(end_s / speed * self.rate_hz)
        piece = samples[start:end].clone()
        if self.read is not None:
            if end > samples.shape[0] + 1:  # which rounding may do
                raise AudioError("expected a video as long as its sound; it ends before the words")
            return piece
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
    *,
    states: bool = False,
    read: Read | None = None,
    report: Report | None = None,
) -> Corpus:
    """A corpus that is spliced where an aligner, learnt from its sound, finds the words.

    With `states`, items tell what the aligner heard when. With last.pt of a run (`saved`) it is cut
    as it was then. A plain one where nothing of this is asked for, where sentences shall be spliced
    and no speaker is known, and where nothing can be learnt. `report` is told how many hearings are
    done, of how many: each utterance is heard again and again until its words are found.

    Raises:
        ValueError: for a share outside 0..1.
    """
    _check_share(share)
    if all(utterance.speaker is None for utterance in utterances):
        share = 0.0
    plain = Corpus(utterances, tokenizer, rate_hz, speeds=speeds, read=read)
    if not share and not states:
        return plain
    aligner = None
    cuts, known_states = saved_cuts(saved or {})
    if len(cuts) != len(utterances):
        heard_hz = rate_hz if read is None else HEARD_HZ
        after_each = _counted(report, hearings(utterances) + len(places_to_cut(utterances)))
        aligner = learn_aligner(utterances, tokenizer, heard_hz, after_each)
        if aligner is None:
            return plain
        cuts = find_cuts(aligner, utterances, tokenizer, after_each)
        known_states = aligner.states
    return SplicedCorpus(
        utterances,
        tokenizer,
        rate_hz,
        cuts,
        share=share,
        speeds=speeds,
        frame_s=frame_s,
        aligner=aligner,
        states=known_states if states else 0,
        read=read,
    )


def _counted(report: Report | None, total: int) -> After:
    """What counts its calls, and reports them."""
    if report is None:
        return unheeded
    done = itertools.count(1)
    return lambda: report(next(done), total)


def _drawn_words(draw: Random) -> int:
    """How many words a piece has: each goes on to the next with a probability of a half."""
    count = 1
    while draw.random() < _ON_SHARE:
        count += 1
    return count
