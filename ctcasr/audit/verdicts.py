"""What is wrong with each line: the kinds weighed against each other, and what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from ctcasr.audit.correction import Line, Prices, correct_lines
from ctcasr.audit.edges import edges_of
from ctcasr.audit.evidence import Evidence, evidence_of
from ctcasr.audit.foreign import Fits
from ctcasr.audit.heard import Heard
from ctcasr.audit.kinds import (
    CUT,
    FOREIGN,
    KINDS,
    MISSING,
    NO_SPEECH,
    RIGHT,
    SPEAKER,
    SUBSTITUTED,
    SUPERFLUOUS,
    SWAPPED,
    LineVerdict,
)
from ctcasr.audit.scorer import NO_PATH, Spelling, by_network
from ctcasr.audit.slots import Vocabulary, tables
from ctcasr.audit.speakers import other_speaker
from ctcasr.audit.textnoise import (
    OwnText,
    TextNoise,
    Texts,
    Worth,
    fit_swaps,
    fit_worth,
    partners,
    text_table,
)
from ctcasr.audit.wordnoise import WordNoise
from ctcasr.audit.words import judge_words, words_of_line

_ROUNDS = 20  # in which the shares of cut and silent lines are fitted
_FIRST_SHARE = 0.01
# Such lines that are believed in before anything was seen, of so many.
_PRIOR_LINES = 0.1
_PRIOR_OF = 20.0
_SMALLEST_SHARE = 1e-5
_LARGEST_SHARE = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Judged:
    """The verdicts of all lines, and the shares of errors that were fitted."""

    lines: tuple[LineVerdict, ...]
    words: WordNoise
    texts: TextNoise
    worth: Worth  # of symbols and of sound


def judge(
    heard: Sequence[Heard],
    spelling: Spelling,
    progress: Progress = lambda done, total: None,
) -> Judged:
    """Judge all lines of a manifest.

    Words are judged in the context of what the other words should be: a line's text is corrected
    and judged anew, up to six times.
    """
    texts = Texts.of([line.text for line in heard])
    vocabulary = Vocabulary.of(texts.texts)
    steps = _Steps(progress, 3 * len(heard))

    # Every recording against all texts: what a symbol is worth, and who has whose text.
    lines = _lines(heard, texts, spelling, steps)
    worth = fit_worth([line.texts for line in lines])
    spelling = Spelling(spelling.tokenizer, worth.symbol, worth.sound)
    for line in lines:
        line.texts = line.texts.weighed(worth)
    text_tables = [line.texts for line in lines]
    swaps = fit_swaps(text_tables)
    trust = swaps.trust  # in nats of a whole text

    # Words: first what they should be, then which of them are wrong where the text is the line's.
    for line in lines:
        line.context = line.written
        line.slots = tables(line.heard, line.written, line.context, vocabulary, spelling)
        steps.take()
    single = _single(lines, [line.texts.own_text for line in lines], swaps)
    own_texts = correct_lines(lines, single, vocabulary, spelling, steps.take)
    swaps = fit_swaps(text_tables, own_texts, worth)
    noise = judge_words(_single(lines, own_texts, swaps), lines, vocabulary)

    # Lines as a whole.
    prices = Prices(noise, vocabulary)
    evidence = [evidence_of(line, prices, trust, spelling) for line in lines]
    swaps = fit_swaps(text_tables, [known.own for known in evidence], worth)
    scales = Scales(swaps, trust, Fits.of([known.best_fit for known in evidence]))
    posteriors = _posteriors(lines, evidence, scales)
    plain_spelling = Spelling(spelling.tokenizer)  # symbols and sound at their own worth
    verdicts = []
    for line, known, kinds in zip(lines, evidence, posteriors, strict=True):
        verdicts.append(_verdict(line, known, kinds, trust, texts, plain_spelling))
    steps.finish()
    return Judged(tuple(verdicts), noise, swaps, worth)


@dataclass
class _Steps:
    """Tells how far the judging is."""

    progress: Progress
    total: int
    done: int = 0

    def take(self) -> None:
        """One more."""
        self.done += 1
        self.progress(self.done, self.total)

    def finish(self) -> None:
        """All of them."""
        self.progress(self.total, self.total)


def _lines(heard: Sequence[Heard], texts: Texts, spelling: Spelling, steps: _Steps) -> list[Line]:
    """Lines with all that is known of them before any word is judged."""
    voices = other_speaker(
        [line.voice for line in heard],
        [line.utterance.speaker for line in heard],
    )
    edges = edges_of(heard, spelling.tokenizer.blank)
    lines = []
    for heard_line, other, edges_of_line in zip(heard, voices, edges, strict=True):
        table = text_table(heard_line, texts, spelling)
        lines.append(Line(heard_line, table, other, edges_of_line))
        steps.take()
    return lines


def _single(lines: Sequence[Line], own_texts: Sequence[OwnText], swaps: TextNoise) -> list[Line]:
    """The lines that may have their own text."""
    single = []
    for line, own in zip(lines, own_texts, strict=True):
        if not swaps.surely(line.texts, own):
            single.append(line)
    return single


@dataclass(frozen=True)
class Scales:
    """What is said by all lines together, by which the kinds of each are weighed."""

    swaps: TextNoise
    trust: float  # in nats of a whole text
    fits: Fits

    def kinds(self, line: Line, known: Evidence, shares: Mapping[str, float]) -> dict[str, float]:
        """Posteriors of the kinds of a line; its own text has weight 1 in all its ways.

        `shares` are those of cut, silent and foreign lines.
        """
        fit_of_own = known.own.fit(self.trust)
        fit_of_silence = self.trust * known.silent_nats - fit_of_own
        # The text of a foreign recording is any of the manifest's, as that of a swapped line.
        # Swapped and cut ones are weighed at trusts of their own; at the lesser it outdoes neither.
        of_foreign = TextNoise(shares[FOREIGN], min(self.trust, self.swaps.trust))
        any_edges = line.edges.of_any_recording
        log_weights = {
            RIGHT: known.log_right - np.logaddexp(0.0, line.other_speaker),
            SPEAKER: known.log_right - np.logaddexp(0.0, -line.other_speaker),
            SWAPPED: self.swaps.log_odds(line.texts, known.own),
            CUT: -np.inf,
            NO_SPEECH: np.log(shares[NO_SPEECH]) + fit_of_silence + any_edges,
            FOREIGN: of_foreign.log_odds(line.texts, known.own)
            + self.fits.log_ratio(known.best_fit)
            + any_edges,
        }
        if len(known.part_nats):
            fits_of_parts = self.trust * known.part_nats - fit_of_own + known.part_edges
            share_of_each = shares[CUT] / len(fits_of_parts)
            log_weights[CUT] = np.log(share_of_each) + logsumexp(fits_of_parts)
        for kind, share in _kinds_of_words(known).items():
            log_weights[kind] = float(np.log(share)) if share > 0 else -np.inf
        log_total = logsumexp(list(log_weights.values()))
        return {kind: float(np.exp(log_weights[kind] - log_total)) for kind in KINDS}


def _posteriors(
    lines: Sequence[Line], evidence: Sequence[Evidence], scales: Scales
) -> list[dict[str, float]]:
    """Posteriors of the kinds of all lines, to which shares of the rare ones are fitted."""
    shares = dict.fromkeys((CUT, NO_SPEECH, FOREIGN), _FIRST_SHARE)
    posteriors: list[dict[str, float]] = []
    for _ in range(_ROUNDS):
        posteriors = []
        for line, known in zip(lines, evidence, strict=True):
            posteriors.append(scales.kinds(line, known, shares))
        for kind in shares:
            shares[kind] = _share([kinds[kind] for kinds in posteriors])
    return posteriors


def _verdict(
    line: Line,
    known: Evidence,
    kinds: Mapping[str, float],
    trust: float,
    texts: Texts,
    spelling: Spelling,
) -> LineVerdict:
    """What is told of a line."""
    partner = ""
    partner_share = 0.0
    best_partners = partners(line.texts, trust, most=1)
    if best_partners:
        number, partner_share = best_partners[0]
        partner = texts.texts[number]
    nats = float(by_network(line.heard, [line.heard.text], spelling)[0])
    return LineVerdict(
        heard=line.heard,
        wrong=1 - kinds[RIGHT],
        kinds=kinds,
        words=tuple(words_of_line(known.words, kinds[SWAPPED], partner)),
        suggestion=_suggestion(kinds, known, partner),
        partner=partner,
        partner_share=partner_share,
        nats_per_symbol=math.inf if nats <= NO_PATH else -nats / max(line.texts.own_symbols, 1),
    )


def _suggestion(kinds: Mapping[str, float], known: Evidence, partner: str) -> str:
    """The text that the likeliest kind asks for."""
    likeliest = max(kinds, key=lambda kind: kinds[kind])
    if likeliest == SWAPPED:
        return partner
    if likeliest == CUT:
        return known.cut_text
    if likeliest in (NO_SPEECH, FOREIGN):
        return ""
    return known.suggestion


def _kinds_of_words(known: Evidence) -> dict[str, float]:
    """How the probability that some word is wrong is shared among the kinds of wrong words."""
    by_kind = dict.fromkeys((SUBSTITUTED, MISSING, SUPERFLUOUS), 0.0)
    for word in known.words:
        by_kind[word.kind] += word.wrong
    total = sum(by_kind.values())
    if total <= 0:
        return by_kind
    any_wrong = 1 - float(np.exp(known.log_right))
    return {kind: any_wrong * mass / total for kind, mass in by_kind.items()}


def _share(posteriors: Sequence[float]) -> float:
    """Mean posterior, drawn a little towards few such lines; never 0 nor more than half."""
    lines = sum(posteriors) + _PRIOR_LINES
    share = lines / (len(posteriors) + _PRIOR_OF)
    return min(max(share, _SMALLEST_SHARE), _LARGEST_SHARE)
