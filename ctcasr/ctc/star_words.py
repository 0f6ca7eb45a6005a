"""The lattice in which whole words may be left: one more state for each word, in plain torch.

The state of word w, of the labels i..j, is entered where label i is: from the blank before it, from
label i - 1, from the state of a word that ends there, or at the start; at `word_cost`. It emits
blank or star, as often as it likes, and is left where label j is left: to the blank behind it or to
label j + 1. Autograd differentiates the recursion, which gives the posteriors of all states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.batch import CtcBatch, to_device
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.reference import lattice
from ctcasr.ctc.star import NEVER, Star

_ROADS = 4  # into a state: from itself, the one below, the one below that, a word's


@dataclass(frozen=True)
class WordLattice:
    """States of a batch: S = 2 max U + 1 of blanks and labels, then max W of words."""

    sources: Tensor  # int64 [B, S + W, 4]: where a path comes from; S + W: from nowhere
    entries: Tensor  # bool [B, S + W, 4]: roads that cost what leaving a word does
    starts: Tensor  # bool [B, S + W]: states that a path begins in
    ends: Tensor  # bool [B, S + W]: states that a path ends in
    words: int  # W

    def to(self, device: torch.device) -> WordLattice:
        """The same on a device."""
        return WordLattice(
            self.sources.to(device),
            self.entries.to(device),
            self.starts.to(device),
            self.ends.to(device),
            self.words,
        )


def word_lattice(ctc_batch: CtcBatch, words: Tensor | None) -> WordLattice:
    """The lattice of a batch on the host; without `words` that of plain CTC.

    Raises:
        InputError: words that are not numbered as the labels are.
    """
    spans = []
    for row in range(len(ctc_batch.target_lengths)):
        spans.append(_spans(ctc_batch, words, row))
    most_words = max((len(of_row) for of_row in spans), default=0)
    states = _chain(ctc_batch, most_words)
    chain = states.sources.shape[1] - most_words
    for row, of_row in enumerate(spans):
        last_blank = 2 * ctc_batch.target_lengths[row]
        last_label = max(last_blank - 1, 0)
        states.ends[row, last_label : last_blank + 1] = True
        for word, span in enumerate(of_row):
            state = chain + word
            states.entries[row, state, 1:] = True
            states.starts[row, state] = span.first == 0
            states.ends[row, state] = span.behind == last_blank
            _join(states.sources[row], state, span, chain)
            if word and span.first == of_row[word - 1].last + 1:
                states.sources[row, state, 3] = state - 1
    return states


class _Span(NamedTuple):
    """The labels of a word, and the blanks beside them."""

    first: int
    last: int

    @property
    def before(self) -> int:
        """State of the blank before the word."""
        return 2 * self.first

    @property
    def behind(self) -> int:
        """State of the blank behind the word."""
        return 2 * self.last + 2


def _chain(ctc_batch: CtcBatch, words: int) -> WordLattice:
    """Blanks and labels connected as in plain CTC, and the states of words connected with nothing.

    The ends are left to be marked.
    """
    labels = ctc_batch.padded()
    rows, width = labels.shape
    chain = 2 * width + 1
    states = chain + words
    nowhere = states
    sources = torch.full(
        (rows, states, _ROADS),
        nowhere,
        dtype=torch.int64,
    )
    sources[:, :, 0] = torch.arange(states)
    sources[:, 1:chain, 1] = torch.arange(chain - 1)
    differs = labels[:, 1:] != labels[:, :-1]
    label_before = torch.arange(1, max(chain - 2, 1), 2)
    sources[:, 3:chain:2, 2] = torch.where(
        differs,
        label_before.expand(rows, -1),
        nowhere,
    )
    starts = torch.zeros((rows, states), dtype=torch.bool)
    starts[:, : min(2, chain)] = True
    return WordLattice(
        sources=sources,
        entries=torch.zeros((rows, states, _ROADS), dtype=torch.bool),
        starts=starts,
        ends=torch.zeros((rows, states), dtype=torch.bool),
        words=words,
    )


def _join(sources: Tensor, state: int, span: _Span, chain: int) -> None:
    """Connect the state of a word with the chain of its row."""
    sources[state, 1] = span.before
    if span.before > 0:
        label_before = span.before - 1
        sources[state, 2] = label_before
    sources[span.behind, 3] = state
    label_behind = span.behind + 1
    if label_behind < chain:
        sources[label_behind, 3] = state


def _spans(ctc_batch: CtcBatch, words: Tensor | None, row: int) -> list[_Span]:
    """The labels of each word of a row."""
    if words is None:
        return []
    count = ctc_batch.target_lengths[row]
    fits = words.dim() == 2 and words.shape[0] > row and words.shape[1] >= count
    if not fits or words.is_floating_point():
        raise InputError(
            f"words: expected a whole number for each of the {count} labels of row {row}; "
            f"got {words.dtype} {list(words.shape)}"
        )
    spans: list[_Span] = []
    word_before = -1
    for place, word in enumerate(words[row, :count].tolist()):
        begins = word == len(spans)
        goes_on = word == word_before and word >= 0
        if begins:
            spans.append(_Span(place, place))
        elif goes_on:
            spans[word] = _Span(spans[word].first, place)
        elif word >= 0:
            raise InputError(
                f"words: expected 0, 1, 2, ... in row {row}, the labels of a word side by "
                f"side; got {word} at label {place}"
            )
        word_before = word
    return spans


def log_partition(
    emissions: Tensor, lengths: Tensor, states: WordLattice, word_costs: Tensor
) -> Tensor:
    """ln Z [B] of emissions [B, T, S + W] in float64; word_costs [B, W]."""
    rows, frames, width = emissions.shape
    nowhere = emissions.new_full((rows, 1), -NEVER)
    chain = width - states.words
    no_cost = emissions.new_zeros((rows, chain))
    costs = torch.cat([no_cost, word_costs], 1)
    toll = torch.where(states.entries, -costs[..., None], 0.0)
    first = torch.where(states.starts, -costs, -NEVER)
    flat_sources = states.sources.flatten(1)
    alpha = torch.full_like(first, -NEVER)
    for frame in range(frames):
        arriving = first
        if frame:
            known = torch.cat([alpha, nowhere], 1)
            roads = known.gather(1, flat_sources)
            tolled = roads.view(rows, width, _ROADS) + toll
            arriving = tolled.logsumexp(2)
        running = (frame < lengths)[:, None]
        emitted = arriving + emissions[:, frame]
        alpha = torch.where(running, emitted, alpha)
    at_ends = torch.where(states.ends, alpha, -NEVER)
    # Without a frame only the empty text has a path.
    no_frame = torch.where(states.ends[:, 0], 0.0, -NEVER)
    return torch.where(
        lengths == 0,
        no_frame,
        at_ends.logsumexp(1),
    )


def emissions_of(
    scores: Tensor, log_probs: Tensor, stars: Tensor, ctc_batch: CtcBatch, star: Star
) -> Tensor:
    """What blanks and labels emit, and what all states of words do: float64 [B, T, S + 1]."""
    chain, _ = lattice(scores.double(), ctc_batch)
    blanks = log_probs[..., ctc_batch.blank].double()
    anything = star.inside_words(blanks, stars.double(), log_probs.shape[2])
    return torch.cat([chain, anything[..., None]], 2).clamp_min(-NEVER)


def costs_of_words(star: Star, rows: int, words: int, device: torch.device) -> Tensor:
    """What leaving each word costs: finite float64 [B, W].

    Raises:
        InputError: costs for other words.
    """
    cost = torch.as_tensor(star.word_cost, dtype=torch.float64, device=device).clamp_max(NEVER)
    if cost.dim() == 1:
        cost = cost[:, None]
    if cost.dim() == 2 and (cost.shape[0] != rows or cost.shape[1] not in (1, words)):
        raise InputError(
            f"word_cost: expected one for each of {rows} rows and {words} words; "
            f"got {list(cost.shape)}"
        )
    return cost.expand(rows, words)


def loss_of_words(
    scores: Tensor, log_probs: Tensor, stars: Tensor, ctc_batch: CtcBatch, star: Star
) -> Tensor:
    """Loss of each row [B] where whole words may be left; inf where no path exists.

    Raises:
        InputError: words or costs that do not fit the batch.
    """
    device = scores.device
    states = word_lattice(ctc_batch, star.words).to(device)
    few = emissions_of(scores, log_probs, stars, ctc_batch, star)
    emissions = with_words(few, states.words)
    rows = len(ctc_batch.target_lengths)
    costs = costs_of_words(star, rows, states.words, device)
    lengths = to_device(ctc_batch.input_lengths, device)
    total = log_partition(emissions, lengths, states, costs)
    no_path = total < -NEVER / 2
    nll = (-total).masked_fill(no_path, torch.inf)
    return nll.to(scores.dtype)


def with_words(few: Tensor, words: int) -> Tensor:
    """Emissions [B, T, S + W] of those of blanks, labels and any word [B, T, S + 1]."""
    chain = few[..., :-1]
    anything = few[..., -1:]
    return torch.cat([chain, anything.expand(-1, -1, words)], 2)
