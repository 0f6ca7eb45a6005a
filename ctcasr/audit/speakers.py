"""Which recordings are of another speaker than the manifest says.

Speakers are normal distributions of voices that share their covariance. What follows is the model
of swapped texts (`textnoise`), with names of speakers in place of texts: a name is the line's own,
or (a share of lines) one drawn of all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctcasr.audit.textnoise import TextTable, fit_swaps
from ctcasr.audit.voice import Floats

_FEWEST_LINES = 6  # of a speaker whose voice is known
_SHRUNK = 0.2  # share of the covariance that is taken to be diagonal
_LEAST_VARIANCE = 1e-4


def other_speaker(voices: Sequence[Floats | None], speakers: Sequence[str | None]) -> list[float]:
    """ln odds of each line that its recording is of another speaker than it says.

    -inf where that cannot be known: for lines without a speaker or a voice, of speakers with few
    lines, and where all lines are of one speaker.
    """
    counts: dict[str, int] = {}
    judged = []
    for line, (voice, speaker) in enumerate(zip(voices, speakers, strict=True)):
        if voice is not None and speaker is not None:
            counts[speaker] = counts.get(speaker, 0) + 1
            judged.append(line)
    names = sorted(name for name, count in counts.items() if count >= _FEWEST_LINES)
    judged = [line for line in judged if speakers[line] in names]
    odds = [-math.inf] * len(voices)
    if len(names) < 2:
        return odds
    known = np.array([voices[line] for line in judged])
    numbers = np.array([names.index(str(speakers[line])) for line in judged])
    tables = _tables(_log_fits(known, numbers), numbers)
    noise = fit_swaps(tables)
    for line, table in zip(judged, tables, strict=True):
        odds[line] = noise.log_odds(table, table.own_text)
    return odds


def _log_fits(voices: Floats, speakers: NDArray[np.int64]) -> Floats:
    """How well each voice fits each speaker, in nats [N, S]; a line is no evidence of itself."""
    counts = np.bincount(speakers).astype(np.float64)
    sums = np.zeros((len(counts), voices.shape[1]))
    np.add.at(sums, speakers, voices)
    means = sums / counts[:, None]
    within = voices - means[speakers]
    covariance = within.T @ within / max(len(voices) - len(counts), 1)
    diagonal = np.diag(np.diag(covariance) + _LEAST_VARIANCE)
    precision = np.linalg.inv((1 - _SHRUNK) * covariance + _SHRUNK * diagonal)
    fits = np.zeros((len(voices), len(counts)))
    for speaker, count in enumerate(counts):
        apart = voices - means[speaker]
        # Without the line itself, the mean of its own speaker lies further off.
        apart[speakers == speaker] *= count / (count - 1)
        squares = np.einsum("nd,de,ne->n", apart, precision, apart)
        others = count - (speakers == speaker)
        fits[:, speaker] = -0.5 * squares / (1 + 1 / others)
    return fits


def _tables(fits: Floats, speakers: NDArray[np.int64]) -> list[TextTable]:
    """The speaker's name of each line among those of the others."""
    log_shares = np.log(np.bincount(speakers) / len(speakers))
    everybody = np.arange(fits.shape[1])
    tables = []
    for nats, speaker in zip(fits, speakers, strict=True):
        is_other = everybody != speaker
        table = TextTable(
            own=float(nats[speaker]),
            own_log_share=float(log_shares[speaker]),
            others=everybody[is_other],
            nats=nats[is_other],
            log_shares=log_shares[is_other],
            symbols=np.zeros(int(is_other.sum()), dtype=np.int64),
            own_symbols=0,
        )
        tables.append(table)
    return tables
