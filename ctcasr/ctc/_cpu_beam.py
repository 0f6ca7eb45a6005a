"""Prefix beam search over one utterance, frame by frame, and what a spelling is worth (compiled).

Probabilities are natural logarithms in float64. A prefix is a node of a trie: its parent and its last symbol. Only
prefixes that survived a frame become nodes, so a node's children are few and kept as a linked list. A scorer is an
automaton whose transitions are looked up in a hash table; where one is missing, the search stops at that frame, the
caller fills it in and goes on. Nothing is random and ties go to the prefix that was there first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcasr.kernels.jit import cached, jit

NONE = -np.inf


@jit
def log_add(a: Any, b: Any) -> Any:
    """log(exp a + exp b), exact for -inf."""
    if a < b:
        a, b = b, a
    return a if b == NONE else a + np.log1p(np.exp(b - a))


@jit
def place_of(keys: Any, key: Any) -> Any:
    """Where `key` lies in the open-addressing table keys [2^n] of int64 (-1: free), or where it would."""
    mask = np.uint64(keys.shape[0] - 1)
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    at = (h ^ (h >> np.uint64(29))) & mask
    while keys[at] != key and keys[at] != -1:
        at = (at + np.uint64(1)) & mask
    return at


@cached("_cpu_*.py")
def fill(version: int) -> Any:
    def run(keys: Any, to: Any, gain: Any, new: Any, new_to: Any, new_gain: Any) -> None:
        _ = version
        for i in range(new.shape[0]):
            at = place_of(keys, new[i])
            keys[at], to[at], gain[at] = new[i], new_to[i], new_gain[i]

    return run


@cached("_cpu_*.py")
def search(version: int) -> Any:
    def run(
        lp: Any, first: Any, blank: Any, floor: Any, skip: Any, nodes: Any, weight: Any, made: Any, active: Any, pb: Any, pn: Any,
        count: Any, keys: Any, to: Any, gain: Any, scored: Any, missing: Any,
    ) -> Any:  # fmt: skip
        """Frames first.. of lp [T, C]; returns (frame reached, nodes made, prefixes alive, transitions missing).

        nodes int32 [6, N]: parent, symbol, first child, next sibling, place among the alive or -1, automaton's state;
        weight [N]: what the scorer gave; active [K], pb, pn [K]: the alive, ending in the blank or not.
        """
        _ = version
        frames, classes = lp.shape
        width = active.shape[0]
        most = width * classes + width
        parent, symbol, child, sibling, place, state = (
            nodes[0],
            nodes[1],
            nodes[2],
            nodes[3],
            nodes[4],
            nodes[5],
        )
        cand = np.empty(classes, np.int32)
        rank, mass = np.empty(most), np.empty(most)
        source, token = np.empty(most, np.int32), np.empty(most, np.int32)
        known, target, total_weight = (
            np.empty(most, np.int32),
            np.empty(most, np.int32),
            np.empty(most),
        )
        total, nb, nn = np.empty(width), np.empty(width), np.empty(width)
        new_active, new_pb, new_pn = np.empty(width, np.int32), np.empty(width), np.empty(width)
        for t in range(first, frames):
            y = lp[t]
            if y[blank] >= skip:
                for k in range(count):
                    pb[k] = log_add(pb[k], pn[k]) + y[blank]
                    pn[k] = NONE
                continue
            n = 0
            for c in range(classes):
                if c != blank and y[c] >= floor and y[c] > NONE:
                    cand[n] = c
                    n += 1
            if scored:
                lacks = 0
                for k in range(count):
                    for i in range(n):
                        key = np.int64(state[active[k]]) * classes + cand[i]
                        if keys[place_of(keys, key)] == -1:
                            if lacks == missing.shape[0]:
                                return t, made, count, lacks
                            missing[lacks] = key
                            lacks += 1
                if lacks:
                    return t, made, count, lacks
            for k in range(count):
                total[k] = log_add(pb[k], pn[k])
                nb[k] = total[k] + y[blank]
                nn[k] = pn[k] + y[symbol[active[k]]] if parent[active[k]] >= 0 else NONE
            m = count
            for k in range(count):
                node = active[k]
                for i in range(n):
                    c = cand[i]
                    p = (pb[k] if symbol[node] == c and parent[node] >= 0 else total[k]) + y[c]
                    if p == NONE:
                        continue
                    next_state, w = 0, weight[node]
                    if scored:
                        at = place_of(keys, np.int64(state[node]) * classes + c)
                        next_state, w = to[at], w + gain[at]
                        if w == NONE:
                            continue
                    found = child[node]
                    while found >= 0 and symbol[found] != c:
                        found = sibling[found]
                    if found >= 0 and place[found] >= 0:
                        nn[place[found]] = log_add(nn[place[found]], p)
                        continue
                    source[m], token[m], known[m], target[m] = k, c, found, next_state
                    total_weight[m], mass[m], rank[m] = w, p, p + w
                    m += 1
            for k in range(count):
                rank[k] = log_add(nb[k], nn[k]) + weight[active[k]]
            least, ties = NONE, 0
            if m > width:
                least = np.partition(rank[:m], m - width)[m - width]
                ties = width
                for i in range(m):
                    ties -= rank[i] > least
            for k in range(count):
                place[active[k]] = -1
            kept = 0
            for i in range(m):
                if not rank[i] > least:
                    if ties == 0 or rank[i] == NONE:
                        continue
                    ties -= 1
                if i < count:
                    node = active[i]
                    new_pb[kept], new_pn[kept] = nb[i], nn[i]
                else:
                    node = known[i]
                    if node < 0:
                        above = active[source[i]]
                        node = made
                        made += 1
                        parent[node], symbol[node], child[node], sibling[node] = (
                            above,
                            token[i],
                            -1,
                            child[above],
                        )
                        state[node], weight[node] = target[i], total_weight[i]
                        child[above] = node
                    new_pb[kept], new_pn[kept] = NONE, mass[i]
                new_active[kept] = node
                kept += 1
            count = kept
            for k in range(count):
                active[k], pb[k], pn[k] = new_active[k], new_pb[k], new_pn[k]
                place[active[k]] = k
        return frames, made, count, 0

    return run


@cached("_cpu_*.py")
def spell(version: int) -> Any:
    def run(lp: Any, labels: Any, blank: Any, spans: Any) -> Any:
        """Log of the sum over all paths of lp [T, C] that spell labels [U]; spans [U, 2] receives the best path's frames."""
        _ = version
        frames, size = lp.shape[0], 2 * labels.shape[0] + 1
        alpha, best = np.full(size, NONE), np.full(size, NONE)
        back = np.zeros((frames, size), np.int8)
        if frames == 0:
            return 0.0 if size == 1 else NONE
        for t in range(frames):
            low, high = max(0, size - 2 * (frames - t)), min(size, 2 * t + 2)
            for s in range(
                high - 1, low - 1, -1
            ):  # downwards: what lies below is still of the frame before
                y = lp[t, labels[s // 2]] if s % 2 else lp[t, blank]
                if t == 0:
                    alpha[s] = best[s] = y
                    continue
                a, b, come = alpha[s], best[s], 0
                if s >= 1:
                    a = log_add(a, alpha[s - 1])
                    if best[s - 1] > b:
                        b, come = best[s - 1], 1
                if s >= 3 and s % 2 and labels[s // 2] != labels[s // 2 - 1]:
                    a = log_add(a, alpha[s - 2])
                    if best[s - 2] > b:
                        b, come = best[s - 2], 2
                alpha[s], best[s], back[t, s] = a + y, b + y, come
            for s in range(low):
                alpha[s] = best[s] = NONE
        s = size - 1
        value = alpha[s]
        if s > 0:
            value = log_add(value, alpha[s - 1])
            if best[s - 1] > best[s]:
                s -= 1
        for u in range(labels.shape[0]):
            spans[u, 0], spans[u, 1] = -1, -1
        if value == NONE:
            return value
        for t in range(frames - 1, -1, -1):
            if s % 2:
                spans[s // 2, 0] = t
                if spans[s // 2, 1] < 0:
                    spans[s // 2, 1] = t + 1
            s -= back[t, s]
        return value

    return run
