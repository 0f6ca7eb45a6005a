"""The lattice in which whole words may be left: one more state for each word, in plain torch.

The state of word w, of the labels i..j, is entered where label i is: from the blank before it, from
label i - 1, from the state of a word that ends there, or at the start; at `word_cost`. It emits
blank or star, as often as it likes, and is left where label j is left: to the blank behind it or to
label j + 1. Autograd differentiates the recursion, which gives the posteriors of all states.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    labels = ctc_batch.padded()
    rows, width = labels.shape
    chain = 2 * width + 1
    spans = [_spans(ctc_batch, words, row) for row in range(rows)]
    most_words = max((len(of_row) for of_row in spans), default=0)
    states = chain + most_words
    sources = torch.full((rows, states, _ROADS), states, dtype=torch.int64)
    sources[:, :, 0] = torch.arange(states)
    sources[:, 1:chain, 1] = torch.arange(chain - 1)
    differs = labels[:, 1:] != labels[:, :-1]
    below = torch.arange(1, chain - 2, 2).expand(rows, -1)
    sources[:, 3:chain:2, 2] = torch.where(differs, below, states)
    entries = torch.zeros((rows, states, _ROADS), dtype=torch.bool)
    starts = torch.zeros((rows, states), dtype=torch.bool)
    starts[:, : min(2, chain)] = True
    ends = torch.zeros((rows, states), dtype=torch.bool)
    for row, of_row in enumerate(spans):
        last = 2 * ctc_batch.target_lengths[row]
        ends[row, max(last - 1, 0) : last + 1] = True
        for word, (first_label, last_label) in enumerate(of_row):
            state = chain + word
            _join(sources[row], state, first_label, last_label, chain)
            entries[row, state, 1:] = True
            starts[row, state] = first_label == 0
            ends[row, state] = 2 * (last_label + 1) == last
        for word in range(1, len(of_row)):
            if of_row[word][0] == of_row[word - 1][1] + 1:
                sources[row, chain + word, 3] = chain + word - 1
    return WordLattice(sources, entries, starts, ends, most_words)


def _join(sources: Tensor, state: int, first_label: int, last_label: int, chain: int) -> None:
    """Connect the state of a word with the chain of its row."""
    before = 2 * first_label  # the blank
    sources[state, 1] = before
    if before > 0:
        sources[state, 2] = before - 1
    behind = 2 * (last_label + 1)
    sources[behind, 3] = state
    if behind + 1 < chain:
        sources[behind + 1, 3] = state


def _spans(ctc_batch: CtcBatch, words: Tensor | None, row: int) -> list[tuple[int, int]]:
    """First and last label of each word of a row."""
    if words is None:
        return []
    count = ctc_batch.target_lengths[row]
    if words.dim() != 2 or words.shape[0] <= row or words.shape[1] < count:
        raise InputError(
            f"words: expected a number for each of the {count} labels of row {row}; "
            f"got {list(words.shape)}"
        )
    spans: list[tuple[int, int]] = []
    before = -1
    for place, word in enumerate(words[row, :count].tolist()):
        if word == len(spans) and word >= 0:
            spans.append((place, place))
        elif word >= 0:
            if word != len(spans) - 1 or before != word:
                raise InputError(
                    f"words: expected 0, 1, 2, ... in row {row}, the labels of a word side by "
                    f"side; got {word} at label {place}"
                )
            spans[word] = (spans[word][0], place)
        before = word
    return spans


def log_partition(
    emissions: Tensor, lengths: Tensor, states: WordLattice, word_costs: Tensor
) -> Tensor:
    """ln Z [B] of emissions [B, T, S + W] in float64; word_costs [B, W]."""
    rows, frames, width = emissions.shape
    nowhere = emissions.new_full((rows, 1), -NEVER)
    no_cost = emissions.new_zeros((rows, width - states.words))
    cost_of_state = torch.cat([no_cost, word_costs], 1)
    toll = torch.where(states.entries, -cost_of_state[..., None], 0.0)
    arriving = torch.where(states.starts, -cost_of_state, -NEVER)
    alpha = torch.full_like(emissions[:, 0], -NEVER) if frames else arriving
    flat_sources = states.sources.reshape(rows, -1)
    for frame in range(frames):
        if frame:
            known = torch.cat([alpha, nowhere], 1)
            roads = known.gather(1, flat_sources).view(rows, width, _ROADS)
            arriving = (roads + toll).logsumexp(2)
        running = (frame < lengths)[:, None]
        alpha = torch.where(running, arriving + emissions[:, frame], alpha)
    total = torch.where(states.ends, alpha, -NEVER).logsumexp(1)
    no_frame = torch.where(states.ends[:, 0], 0.0, -NEVER)
    return torch.where(lengths == 0, no_frame, total)


def emissions_of(scores: Tensor, log_probs: Tensor, stars: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """What blanks and labels emit, and what all states of words do: float64 [B, T, S + 1]."""
    chain, _ = lattice(scores.double(), ctc_batch)
    blanks = log_probs[..., ctc_batch.blank].double()
    anything = torch.logaddexp(blanks, stars.double())
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
    few = emissions_of(scores, log_probs, stars, ctc_batch)
    emissions = torch.cat([few[..., :-1], few[..., -1:].expand(-1, -1, states.words)], 2)
    costs = costs_of_words(star, len(ctc_batch.target_lengths), states.words, device)
    lengths = to_device(ctc_batch.input_lengths, device)
    total = log_partition(emissions, lengths, states, costs)
    no_path = total < -NEVER / 2
    return (-total).masked_fill(no_path, torch.inf).to(scores.dtype)
