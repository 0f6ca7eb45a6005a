from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ctcasr.decoding.token_graph import TokenGraph
from ctcasr.text import Alphabet, InGrammar, grammar_of

ALPHABET = Alphabet("ab ")
SENTENCES = "aa\nab\nb a\n"


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """What a path of symbols and blanks spells."""
    return tuple(token for token, _ in itertools.groupby(path) if token != ALPHABET.blank)


@pytest.mark.parametrize("frames", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_no_path_that_spells_a_sentence_is_better(frames: int, seed: int) -> None:
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(ALPHABET.size), frames))
    allowed = {tuple(ALPHABET.encode(sentence)) for sentence in SENTENCES.splitlines()}
    best = (-math.inf, ())
    for path in itertools.product(range(ALPHABET.size), repeat=frames):
        if collapsed(path) in allowed:
            nats = float(log_probs[range(frames), path].sum())
            best = max(best, (nats, collapsed(path)))
    graph = TokenGraph.of(InGrammar(grammar_of(SENTENCES, ALPHABET), ALPHABET), ALPHABET)
    assert graph is not None
    assert graph.best(log_probs) == best[1]
