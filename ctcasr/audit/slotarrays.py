"""The slots of a corpus side by side, so that fitting is arithmetic of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctcasr.audit.slots import SlotTable, Vocabulary

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class SlotArrays:
    """The tables of all lines, one line after the other.

    V words in the vocabulary, S slots, K candidates in the slot that has most; a slot with fewer is
    filled up with candidates of -inf nats. `shortfalls`: of each line, the nats by which its text,
    corrected, fits worse than what is heard there without one; none is known of if not given.
    """

    def __init__(
        self,
        lines: Sequence[Sequence[SlotTable]],
        vocabulary: Vocabulary,
        shortfalls: Sequence[float] = (),
    ) -> None:
        self.vocabulary = vocabulary
        self.shortfall = np.array(shortfalls or [0.0] * len(lines))  # [lines]
        slots = [slot for line in lines for slot in line]
        slot_count = len(slots)
        widest = max((len(slot.nats) for slot in slots), default=0)
        gap_number = len(vocabulary.words)  # stands for "a gap" among the numbers of words
        number_of = {word: number for number, word in enumerate(vocabulary.words)}

        self.nats = np.full((slot_count, widest), -np.inf)  # [S, K]
        self.words = np.zeros((slot_count, widest), dtype=np.int64)  # [S, K]
        self.nothing = np.array([slot.nothing for slot in slots])  # [S]
        self.written = np.full(slot_count, gap_number, dtype=np.int64)  # [S]
        for row, slot in enumerate(slots):
            candidates = len(slot.nats)
            self.nats[row, :candidates] = slot.nats
            self.words[row, :candidates] = slot.words
            if not slot.gap:
                self.written[row] = number_of[slot.written]

        self.line_count = len(lines)
        slots_of_lines = [len(line) for line in lines]
        self.line = np.repeat(np.arange(len(lines)), slots_of_lines)  # [S] whose slot it is
        self.gap: Flags = self.written == gap_number  # [S]
        is_candidate = np.isfinite(self.nats)
        is_written = self.words == self.written[:, None]
        self.own: Flags = is_written & is_candidate  # [S, K] the candidate that is written
        self.other: Flags = is_candidate & ~is_written  # [S, K] those that are not
        self.shares = np.where(is_candidate, np.exp(vocabulary.log_shares[self.words]), 0.0)

    @property
    def word_share(self) -> float:
        """Share of the slots that hold a word; a half without slots."""
        if not len(self.gap):
            return 0.5
        return float((~self.gap).mean())
