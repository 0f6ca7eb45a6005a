"""Prefix beam search over one utterance, frame by frame (compiled).

Probabilities are natural logarithms in float64. A prefix is a node of a trie: its parent and its
last symbol. Only prefixes that survived a frame become nodes, so a node's children are few and kept
as a linked list. A scorer is an automaton whose transitions are looked up in a hash table; where
one is missing, the search stops at that frame, the caller fills it in and goes on. Nothing is
random, and ties go to the prefix that was there first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctcasr.kernels.jit import Array, Function, Number, cached, jit

NEVER = -np.inf
NO_NODE = -1  # of a link that leads nowhere
FREE = -1  # a place of the hash table without a key
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 by the golden ratio: Fibonacci hashing
_FOLD = 29  # bits by which a hash is folded onto itself

# Rows of the table of nodes.
PARENT, SYMBOL, CHILD, SIBLING, PLACE, STATE = range(6)


class Trie(NamedTuple):
    """The nodes that were made, N at most."""

    parent: Array  # int32 [N], NO_NODE at the root
    symbol: Array  # int32 [N] the last one of the prefix
    child: Array  # int32 [N] the youngest
    sibling: Array  # int32 [N] the next older one
    place: Array  # int32 [N] among the alive, or NO_NODE
    state: Array  # int32 [N] of the scorer's automaton
    weight: Array  # float64 [N] nats that the scorer gave


class Beam(NamedTuple):
    """The prefixes that are alive, K at most; nats of their paths by the class they end in."""

    node: Array  # int32 [K]
    in_blank: Array  # float64 [K]
    in_symbol: Array  # float64 [K]


class Candidates(NamedTuple):
    """What may be alive after a frame: the alive as they are, then their extensions."""

    source: Array  # int32, place of the prefix that is extended
    symbol: Array  # int32
    node: Array  # int32, NO_NODE if there is none yet
    state: Array  # int32
    weight: Array  # float64, nats of the scorer
    mass: Array  # float64, nats of the paths
    rank: Array  # float64, both


class Transitions(NamedTuple):
    """An open-addressing hash table [2^n] of the scorer's automaton."""

    keys: Array  # int64: state * classes + symbol, or FREE
    states: Array  # int32
    gains: Array  # float64, nats


@jit
def log_add(a: Number, b: Number) -> Number:
    """log(exp a + exp b), exact for -inf."""
    high = max(a, b)
    low = min(a, b)
    if low == NEVER:
        return high
    return high + np.log1p(np.exp(low - high))


@jit
def place_of(keys: Array, key: Number) -> Number:
    """Where `key` lies in the table of keys, or where it would."""
    mask = np.uint64(keys.shape[0] - 1)
    hashed = np.uint64(key) * np.uint64(_GOLDEN)
    place = (hashed ^ (hashed >> np.uint64(_FOLD))) & mask
    while keys[place] != key and keys[place] != FREE:
        place = (place + np.uint64(1)) & mask
    return place


@cached("_cpu_beam.py")
def fill(version: int) -> Function:
    """The compiled insertion into the hash table."""

    def run(
        keys: Array,
        states: Array,
        gains: Array,
        new_keys: Array,
        new_states: Array,
        new_gains: Array,
    ) -> None:
        """Put new transitions into the table."""
        _ = version
        for i in range(new_keys.shape[0]):
            place = place_of(keys, new_keys[i])
            keys[place] = new_keys[i]
            states[place] = new_states[i]
            gains[place] = new_gains[i]

    return run


@jit
def likely(frame: Array, blank: Number, floor: Number, symbols: Array) -> Number:
    """Write the symbols that are worth an extension in a frame [C]; returns their number."""
    count = 0
    for c in range(frame.shape[0]):
        if c != blank and frame[c] >= floor and frame[c] > NEVER:
            symbols[count] = c
            count += 1
    return count


@jit
def lacking(
    beam: Beam,
    alive: Number,
    symbols: Array,
    count: Number,
    classes: Number,
    trie: Trie,
    table: Transitions,
    missing: Array,
) -> Number:
    """Write the keys of transitions that the table lacks, as many as fit; returns their number."""
    found = 0
    for k in range(alive):
        state = np.int64(trie.state[beam.node[k]])
        for i in range(count):
            key = state * classes + symbols[i]
            if table.keys[place_of(table.keys, key)] == FREE:
                if found == missing.shape[0]:
                    return found
                missing[found] = key
                found += 1
    return found


@jit
def stay(frame: Array, blank: Number, beam: Beam, after: Beam, alive: Number, trie: Trie) -> None:
    """The alive prefixes one frame later, by a blank or by their last symbol once more."""
    for k in range(alive):
        node = beam.node[k]
        total = log_add(beam.in_blank[k], beam.in_symbol[k])
        after.node[k] = node
        after.in_blank[k] = total + frame[blank]
        after.in_symbol[k] = NEVER
        if trie.parent[node] != NO_NODE:
            after.in_symbol[k] = beam.in_symbol[k] + frame[trie.symbol[node]]


@jit
def extend(
    frame: Array,
    beam: Beam,
    after: Beam,
    alive: Number,
    symbols: Array,
    count: Number,
    trie: Trie,
    table: Transitions,
    scored: Number,
    candidates: Candidates,
) -> Number:
    """Every alive prefix by one symbol; returns the number of candidates, the alive among them.

    An extension that is alive itself gets the mass, what is not yet becomes a candidate.
    """
    size = alive
    for k in range(alive):
        node = beam.node[k]
        total = log_add(beam.in_blank[k], beam.in_symbol[k])
        for i in range(count):
            symbol = symbols[i]
            repeats = trie.symbol[node] == symbol and trie.parent[node] != NO_NODE
            mass = (beam.in_blank[k] if repeats else total) + frame[symbol]
            if mass == NEVER:
                continue
            state = 0
            weight = trie.weight[node]
            if scored:
                key = np.int64(trie.state[node]) * frame.shape[0] + symbol
                place = place_of(table.keys, key)
                state = table.states[place]
                weight += table.gains[place]
                if weight == NEVER:
                    continue
            known = child_of(trie, node, symbol)
            if known != NO_NODE and trie.place[known] != NO_NODE:
                place = trie.place[known]
                after.in_symbol[place] = log_add(after.in_symbol[place], mass)
                continue
            candidates.source[size] = k
            candidates.symbol[size] = symbol
            candidates.node[size] = known
            candidates.state[size] = state
            candidates.weight[size] = weight
            candidates.mass[size] = mass
            candidates.rank[size] = mass + weight
            size += 1
    for k in range(alive):
        mass = log_add(after.in_blank[k], after.in_symbol[k])
        candidates.rank[k] = mass + trie.weight[after.node[k]]
    return size


@jit
def child_of(trie: Trie, node: Number, symbol: Number) -> Number:
    """The child of a node by a symbol, or NO_NODE."""
    child = trie.child[node]
    while child != NO_NODE and trie.symbol[child] != symbol:
        child = trie.sibling[child]
    return child


@jit
def choose(ranks: Array, size: Number, width: Number, heap: Array, chosen: Array) -> Number:
    """Write the places of the `width` best of ranks [size], in their order; returns their number.

    Of equal ones the earlier, and never one of rank -inf. heap [width] is scratch.
    """
    least = NEVER
    spare = width  # places for those that are equal to the least survivor
    if size > width:
        least = least_of_best(ranks, size, width, heap)
        for i in range(size):
            spare -= ranks[i] > least
    count = 0
    for i in range(size):
        if ranks[i] < least or ranks[i] == NEVER:
            continue
        if size > width and ranks[i] == least:
            if spare == 0:
                continue
            spare -= 1
        chosen[count] = i
        count += 1
    return count


@jit
def least_of_best(ranks: Array, size: Number, width: Number, heap: Array) -> Number:
    """The `width`-th largest of ranks [size]: the root of a heap of the largest ones."""
    for i in range(width):
        place = i
        while place > 0 and heap[(place - 1) // 2] > ranks[i]:
            heap[place] = heap[(place - 1) // 2]
            place = (place - 1) // 2
        heap[place] = ranks[i]
    for i in range(width, size):
        if not ranks[i] > heap[0]:
            continue
        place = 0
        child = 1
        while child < width:
            if child + 1 < width and heap[child + 1] < heap[child]:
                child += 1
            if not heap[child] < ranks[i]:
                break
            heap[place] = heap[child]
            place = child
            child = 2 * place + 1
        heap[place] = ranks[i]
    return heap[0]


@jit
def survive(
    chosen: Array,
    count: Number,
    beam: Beam,
    after: Beam,
    alive: Number,
    trie: Trie,
    made: Number,
    candidates: Candidates,
) -> Number:
    """Make the chosen candidates the beam; returns the number of nodes made so far."""
    for k in range(alive):
        trie.place[after.node[k]] = NO_NODE
    # Extensions name their sources by place in the beam: nodes first, the beam then.
    for i in range(count):
        candidate = chosen[i]
        if candidate < alive or candidates.node[candidate] != NO_NODE:
            continue
        above = beam.node[candidates.source[candidate]]
        trie.parent[made] = above
        trie.symbol[made] = candidates.symbol[candidate]
        trie.child[made] = NO_NODE
        trie.sibling[made] = trie.child[above]
        trie.state[made] = candidates.state[candidate]
        trie.weight[made] = candidates.weight[candidate]
        trie.child[above] = made
        candidates.node[candidate] = made
        made += 1
    for i in range(count):
        candidate = chosen[i]
        if candidate < alive:
            beam.node[i] = after.node[candidate]
            beam.in_blank[i] = after.in_blank[candidate]
            beam.in_symbol[i] = after.in_symbol[candidate]
        else:
            beam.node[i] = candidates.node[candidate]
            beam.in_blank[i] = NEVER
            beam.in_symbol[i] = candidates.mass[candidate]
        trie.place[beam.node[i]] = i
    return made


@cached("_cpu_beam.py")
def search(version: int) -> Function:
    """The compiled search."""

    def run(
        log_probs: Array,
        first: Number,
        blank: Number,
        floor: Number,
        skip_blank: Number,
        nodes: Array,
        weights: Array,
        made: Number,
        active: Array,
        in_blank: Array,
        in_symbol: Array,
        alive: Number,
        keys: Array,
        states: Array,
        gains: Array,
        scored: Number,
        missing: Array,
    ) -> Number:
        """Frames first.. of log_probs [T, C], until the end or until transitions are missing.

        nodes int32 [6, N] are the rows of `Trie`, weights float64 [N] its last; active [K],
        in_blank, in_symbol those of `Beam`; keys, states, gains those of `Transitions`.
        Returns (frame reached, nodes made, prefixes alive, transitions missing).
        """
        _ = version
        frames, classes = log_probs.shape
        width = active.shape[0]
        most = width * classes + width
        trie = Trie(
            nodes[PARENT],
            nodes[SYMBOL],
            nodes[CHILD],
            nodes[SIBLING],
            nodes[PLACE],
            nodes[STATE],
            weights,
        )
        table = Transitions(keys, states, gains)
        beam = Beam(active, in_blank, in_symbol)
        after = Beam(np.empty(width, np.int32), np.empty(width), np.empty(width))
        candidates = Candidates(
            np.empty(most, np.int32),
            np.empty(most, np.int32),
            np.empty(most, np.int32),
            np.empty(most, np.int32),
            np.empty(most),
            np.empty(most),
            np.empty(most),
        )
        symbols = np.empty(classes, np.int32)
        heap = np.empty(width)
        chosen = np.empty(width, np.int64)
        for t in range(first, frames):
            frame = log_probs[t]
            if frame[blank] >= skip_blank:
                for k in range(alive):
                    beam.in_blank[k] = log_add(beam.in_blank[k], beam.in_symbol[k]) + frame[blank]
                    beam.in_symbol[k] = NEVER
                continue
            count = likely(frame, blank, floor, symbols)
            if scored:
                lacks = lacking(beam, alive, symbols, count, classes, trie, table, missing)
                if lacks:
                    return t, made, alive, lacks
            stay(frame, blank, beam, after, alive, trie)
            size = extend(
                frame, beam, after, alive, symbols, count, trie, table, scored, candidates
            )
            survivors = choose(candidates.rank, size, width, heap, chosen)
            made = survive(chosen, survivors, beam, after, alive, trie, made, candidates)
            alive = survivors
        return frames, made, alive, 0

    return run
