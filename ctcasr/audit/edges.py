"""Which recordings begin or end while somebody speaks, as those do that were cut.

Speech that was cut at any moment ends as far behind its last symbol as frames within speech lie
behind the symbol before them; a whole recording ends as far behind it as the others of its corpus,
and so does one that was cut in a pause.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ctcasr.audit.foreign import log_student
from ctcasr.audit.heard import Heard

_HEARD = 0.5  # posterior of the blank below which a symbol is heard
_UPPER = 0.75  # share of the lines up to which silences say how far they spread
_TO_DEVIATION = 0.6745  # deviations of a normal distribution from its middle to there
_LEAST_DEVIATION = 1.0  # frames
_UNSEEN = 1.0  # frames that are added to each distance within speech, for those never seen
_IN_SPEECH = 0.5  # share of cut recordings that were not cut in a pause
_FEWEST_FRAMES = 100  # within speech, from which on its distances are known

Frames = NDArray[np.int64]


@dataclass(frozen=True)
class Edge:
    """Silences at one end of all recordings, in frames, and distances within speech.

    Example:
        >>> edge = Edge.of([14, 15, 15, 16, 17], np.array([0, 1, 0, 1, 2] * 40))
        >>> edge.log_ratio(15) < 0 < edge.log_ratio(0)
        True
    """

    middle: float
    deviation: float
    log_within: tuple[float, ...]  # ln share of frames in speech that lie so far from a symbol

    @staticmethod
    def of(silences: Sequence[int], distances: Frames) -> Edge:
        """Of the silences at an end, more than half of which are those of whole recordings.

        They spread upwards: below the middle some may be of recordings that were cut.
        """
        middle = median(silences)
        shortest_first = sorted(silences)
        upper = shortest_first[int(_UPPER * (len(silences) - 1))]
        deviation = max((upper - middle) / _TO_DEVIATION, _LEAST_DEVIATION)
        longest = max(int(distances.max(initial=0)), shortest_first[-1])
        counts = np.bincount(distances, minlength=longest + 1) + _UNSEEN
        log_within = np.log(counts / counts.sum())
        return Edge(middle, deviation, tuple(log_within.tolist()))

    def log_ratio(self, silence: int) -> float:
        """ln of how much likelier such a silence is where the recording was cut."""
        distance = min(silence, len(self.log_within) - 1)
        log_whole = log_student((silence - self.middle) / self.deviation)
        log_in_speech = self.log_within[distance] - log_whole + math.log(self.deviation)
        return float(np.logaddexp(math.log(_IN_SPEECH) + log_in_speech, math.log1p(-_IN_SPEECH)))


@dataclass(frozen=True)
class LineEdges:
    """ln of how much likelier the ends of a recording are if it was cut there."""

    begins_in_speech: float = 0.0
    ends_in_speech: float = 0.0

    @property
    def of_any_recording(self) -> float:
        """The same of a recording that was made elsewhere, whose ends are any."""
        return self.begins_in_speech + self.ends_in_speech


def edges_of(heard: Sequence[Heard], blank: int) -> list[LineEdges]:
    """The edges of each recording; 0 where no symbol is heard, and where too few are in all."""
    spikes = [_spikes(line, blank) for line in heard]
    known = [line for line, frames in enumerate(spikes) if len(frames)]
    edges = [LineEdges() for _ in heard]
    inner = [_distances(spikes[line]) for line in known]
    distances = np.concatenate([np.zeros(0, dtype=np.int64), *inner])
    if len(distances) < _FEWEST_FRAMES:
        return edges
    before = [int(spikes[line][0]) for line in known]
    behind = [len(heard[line].log_probs) - 1 - int(spikes[line][-1]) for line in known]
    beginning = Edge.of(before, distances)
    end = Edge.of(behind, distances)
    for line, silence_before, silence_behind in zip(known, before, behind, strict=True):
        edges[line] = LineEdges(beginning.log_ratio(silence_before), end.log_ratio(silence_behind))
    return edges


def _spikes(line: Heard, blank: int) -> Frames:
    """Frames in which a symbol is heard."""
    silent = line.log_probs[:, blank].exp() >= _HEARD
    return np.flatnonzero(~silent.numpy())


def _distances(spikes: Frames) -> Frames:
    """How far each frame between the first and the last symbol lies behind the one before it.

    Example:
        >>> _distances(np.array([3, 5, 6])).tolist()
        [0, 1, 0]
    """
    gaps = np.diff(spikes)
    distances: Frames = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, gaps)])
    return distances
