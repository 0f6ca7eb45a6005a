"""Prefix beam search against the sum over all paths, written out."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Hashable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ctcasr.ctc import BeamSearch, ctc_loss, forced_align, greedy


def collapse(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def by_enumeration(logits: Tensor, frames: int, blank: int) -> dict[tuple[int, ...], float]:
    """Probability of every text: the sum over its paths."""
    probabilities = logits[:frames].double().softmax(1).tolist()
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(logits.shape[1]), repeat=frames):
        sums[collapse(path, blank)] += math.prod(probabilities[t][c] for t, c in enumerate(path))
    return sums


class Letters:
    """Nats for a symbol by the one before and by their number's parity; one may be forbidden."""

    def __init__(self, seed: int, classes: int, forbidden: int = -1) -> None:
        self.table = torch.randn(
            classes, classes, 2, generator=torch.Generator().manual_seed(seed)
        ).tolist()
        self.forbidden = forbidden

    def start(self) -> Hashable:
        return (0, 0)

    def step(self, state: tuple[int, int], token: int) -> tuple[Hashable, float]:
        gain = -math.inf if token == self.forbidden else self.table[state[0]][token][state[1]]
        return (token, 1 - state[1]), gain

    def end(self, state: tuple[int, int]) -> float:
        return self.table[0][state[0]][state[1]]

    def of(self, tokens: tuple[int, ...]) -> float:
        state, total = self.start(), 0.0
        for token in tokens:
            state, gain = self.step(state, token)  # type: ignore[arg-type]
            total += gain
        return total + self.end(state)  # type: ignore[arg-type]


def drawn(
    seed: int, batch: int, frames: int, classes: int, scale: float = 1.5
) -> tuple[Tensor, list[int], int]:
    rng = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, frames, classes, generator=rng, dtype=torch.float64)
    lengths = torch.randint(0, frames + 1, (batch,), generator=rng).tolist()
    return logits, lengths, int(torch.randint(0, classes, (), generator=rng))


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(0, 5), st.integers(2, 4))
def test_an_unlimited_beam_equals_the_sum_over_all_paths(
    seed: int, frames: int, classes: int
) -> None:
    logits, lengths, blank = drawn(seed, 2, frames, classes)
    found = BeamSearch(blank, beam=2000, nbest=2000, floor=-math.inf)(logits, lengths)
    for row, hypotheses in enumerate(found):
        sums = by_enumeration(logits[row], lengths[row], blank)
        assert {h.tokens for h in hypotheses} == set(sums)
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        for h in hypotheses:
            assert h.score == pytest.approx(math.log(sums[h.tokens]), abs=1e-9) and h.bonus == 0.0


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 5), st.integers(-1, 3))
def test_a_scorer_is_added_to_every_text_and_can_forbid(
    seed: int, frames: int, forbidden: int
) -> None:
    logits, lengths, _ = drawn(seed, 1, frames, 4)
    scorer = Letters(seed, 4, forbidden)
    (found,) = BeamSearch(0, beam=2000, nbest=2000, floor=-math.inf, scorer=scorer)(logits, lengths)
    sums = by_enumeration(logits[0], lengths[0], 0)
    wanted = {
        tokens: math.log(p) + scorer.of(tokens)
        for tokens, p in sums.items()
        if forbidden not in tokens
    }
    assert {h.tokens: pytest.approx(h.total, abs=1e-9) for h in found} == wanted
    assert found[0].total == pytest.approx(max(wanted.values()), abs=1e-9)


def test_the_search_itself_sums_all_paths() -> None:
    """What ranks prefixes while searching is exact too, where nothing is cut off."""
    logits, _, _ = drawn(5, 1, 5, 3)
    search = BeamSearch(0, beam=500, floor=-math.inf)
    lp = logits[0].log_softmax(1).numpy()
    sums = by_enumeration(logits[0], 5, 0)
    found = {tokens: score for score, tokens in search._search(lp, search._automaton(3))}
    assert found == {tokens: pytest.approx(math.log(p), abs=1e-9) for tokens, p in sums.items()}


@settings(max_examples=40)
@given(
    st.integers(0, 2**31),
    st.integers(1, 12),
    st.floats(-12.0, 0.0),
    st.sampled_from([2.0, 0.9, 0.5]),
)
def test_never_less_probable_than_greedy_and_deterministic(
    seed: int, beam: int, floor: float, skip: float
) -> None:
    logits, lengths, blank = drawn(seed, 3, 30, 6, scale=2.0)
    search = BeamSearch(blank, beam=beam, nbest=min(3, beam), floor=floor, skip_blank=skip)
    found = search(logits, lengths)
    assert (
        found
        == search(logits, lengths)
        == BeamSearch(blank, beam, min(3, beam), floor, skip)(logits, lengths)
    )
    paths = greedy(logits, lengths, blank)
    for row, (hypotheses, path) in enumerate(zip(found, paths, strict=True)):
        weighed = [path.tokens, *(h.tokens for h in hypotheses)]
        nll = ctc_loss(
            logits[[row] * len(weighed)],
            torch.tensor([t for tokens in weighed for t in tokens], dtype=torch.int64),
            [lengths[row]] * len(weighed),
            [len(tokens) for tokens in weighed],
            blank=blank,
            reduction="none",
        )
        assert hypotheses[0].score >= -float(nll[0]) - 1e-6
        assert [h.score for h in hypotheses] == pytest.approx((-nll[1:]).tolist(), abs=1e-5)


def test_a_text_of_many_paths_beats_the_best_path() -> None:
    logits = torch.tensor([[[0.4, 0.35, 0.25], [0.4, 0.35, 0.25]]]).log()
    assert greedy(logits, [2])[0].tokens == ()
    assert BeamSearch()(logits, [2])[0][0].tokens == (
        1,
    )  # 0.35 * 0.35 + 2 * 0.4 * 0.35 = 0.4 against 0.16


def test_times_are_those_of_the_aligner() -> None:
    logits, lengths, blank = drawn(3, 4, 25, 5, scale=3.0)
    for row, hypotheses in enumerate(BeamSearch(blank, nbest=4)(logits, lengths)):
        for h in hypotheses:
            (path,) = forced_align(
                logits[[row]],
                torch.tensor(h.tokens, dtype=torch.int64),
                [lengths[row]],
                [len(h.tokens)],
                blank=blank,
            )
            assert h.frames == tuple((span.start, span.end) for span in path.tokens)


def test_a_blank_that_is_skipped_still_parts_repeats() -> None:
    probabilities = torch.tensor(
        [[[0.02, 0.97, 0.01], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01], [0.02, 0.97, 0.01]]]
    )
    for skip in (0.97, 2.0):
        assert BeamSearch(skip_blank=skip)(probabilities.log(), [4])[0][0].tokens == (1, 1)


def test_rows_do_not_see_each_other_and_padding_does_not_count() -> None:
    logits, lengths, blank = drawn(8, 4, 20, 5)
    search = BeamSearch(blank, nbest=3)
    found = search(logits, lengths)
    for row, time in enumerate(lengths):
        assert search(logits[[row], :time], [time]) == [found[row]]


def test_silence_where_the_scorer_forbids_every_text() -> None:
    class Nothing:
        def start(self) -> int:
            return 0

        def step(self, state: int, token: int) -> tuple[int, float]:
            return 0, -math.inf

        def end(self, state: int) -> float:
            return 0.0

    logits, _, _ = drawn(1, 1, 6, 4)
    (only,) = BeamSearch(scorer=Nothing())(logits, [6])[0]
    assert only.tokens == () and only.score == pytest.approx(
        float(logits[0].log_softmax(1)[:, 0].sum())
    )


def test_what_is_wrong_is_named() -> None:
    bad = torch.zeros(2, 3, 4)
    bad[1, 1, 2] = math.nan
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        BeamSearch()(bad, [3, 3])
    assert len(BeamSearch()(bad, [3, 1])) == 2  # it lies in the padding
    with pytest.raises(ValueError, match="nbest within"):
        BeamSearch(beam=4, nbest=5)
    with pytest.raises(ValueError, match="row 0 has length 9"):
        BeamSearch()(torch.zeros(1, 3, 4), [9])
    assert BeamSearch()(bad[:0], []) == []


def test_a_better_prefix_is_never_dropped_for_a_worse_one():
    """Of equal rank with the least survivor is not the same as below it."""
    frames = [[0.25, 0.40, 0.35], [0.40, 0.35, 0.25], [0.10, 0.50, 0.40]]
    hypotheses = BeamSearch(0, 3, 3)(torch.tensor([frames]).log(), [3])[0]
    assert hypotheses[0].tokens == (2, 1)
    assert math.exp(hypotheses[0].score) == pytest.approx(0.2185)
    assert [h.tokens for h in hypotheses] == [(2, 1), (1, 2), (1,)]


def extended(
    alive: dict[tuple[int, ...], tuple[float, float]], frame: list[float], blank: int
) -> dict[tuple[int, ...], list[float]]:
    """All prefixes one frame later, by the definition: probabilities ending in the blank or not."""
    after: dict[tuple[int, ...], list[float]] = {}
    for prefix, (in_blank, in_symbol) in alive.items():
        here = after.setdefault(prefix, [0.0, 0.0])
        here[0] += (in_blank + in_symbol) * frame[blank]
        if prefix:
            here[1] += in_symbol * frame[prefix[-1]]
        for symbol, p in enumerate(frame):
            if symbol == blank:
                continue
            repeats = bool(prefix) and prefix[-1] == symbol
            longer = after.setdefault((*prefix, symbol), [0.0, 0.0])
            longer[1] += (in_blank if repeats else in_blank + in_symbol) * p
    return after


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 8), st.integers(2, 5))
def test_no_survivor_of_any_frame_is_less_probable_than_one_that_was_dropped(
    seed: int, beam: int, frames: int, classes: int
) -> None:
    logits, _, blank = drawn(seed, 1, frames, classes)
    search = BeamSearch(blank, beam=beam, floor=-math.inf)
    log_probs = logits[0].log_softmax(1).numpy()
    alive: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for frame in range(frames):
        after = extended(alive, logits[0, frame].softmax(0).tolist(), blank)
        survivors = search._search(log_probs[: frame + 1], search._automaton(classes))
        totals = {prefix: sum(parts) for prefix, parts in after.items()}
        possible = [prefix for prefix, total in totals.items() if total > 0]
        assert len(survivors) == min(beam, len(possible))
        dropped = max((totals[p] for p in set(totals) - {t for _, t in survivors}), default=0.0)
        for nats, tokens in survivors:
            assert math.exp(nats) == pytest.approx(totals[tokens], rel=1e-9)
            assert totals[tokens] >= dropped * (1 - 1e-12)
        alive = {tokens: (after[tokens][0], after[tokens][1]) for _, tokens in survivors}


def test_a_beam_of_one_leaves_the_empty_prefix():
    logits = 4 * torch.eye(4)[[1, 0, 2, 2, 3]][None]
    assert BeamSearch(beam=1)(logits, [5])[0][0].tokens == (1, 2, 3)


def test_each_spelling_is_returned_once():
    """Pieces 1 "a", 2 "b", 3 "ab": (1, 2) and (3,) are one text."""
    letters = ("", "a", "b", "ab")

    def text(tokens: tuple[int, ...]) -> str:
        return "".join(letters[token] for token in tokens)

    for seed in range(30):
        logits, lengths, _ = drawn(seed, 1, 6, 4)
        plain = BeamSearch(0, 16, 16, floor=-math.inf)(logits, lengths)[0]
        search = BeamSearch(0, 16, 5, floor=-math.inf, spelling=text)
        texts = [text(h.tokens) for h in search(logits, lengths)[0]]
        assert len(set(texts)) == len(texts)
        best = {}
        for hypothesis in plain:
            best.setdefault(text(hypothesis.tokens), hypothesis.tokens)
        assert len(texts) == min(5, len(best))
        assert texts[0] == text(plain[0].tokens)


@pytest.mark.parametrize("gain", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["step", "end"])
def test_what_cannot_be_ranked_is_refused(gain: float, where: str) -> None:
    """NaN compares with nothing: more prefixes would survive than there is memory for."""

    class Broken:
        def start(self) -> int:
            return 0

        def step(self, state: int, token: int) -> tuple[int, float]:
            return state, gain if where == "step" and token == 3 else 0.0

        def end(self, state: int) -> float:
            return gain if where == "end" else 0.0

    search = BeamSearch(beam=4, floor=-math.inf, scorer=Broken())
    with pytest.raises(ValueError, match=rf"scorer: expected nats or -inf from {where}\(\)"):
        search(torch.zeros(1, 6, 9), [6])
