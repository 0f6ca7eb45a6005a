"""Lines while they are judged: their words, one by one, become what fits better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ctcasr.audit.edges import LineEdges
from ctcasr.audit.heard import Heard
from ctcasr.audit.kinds import WordVerdict
from ctcasr.audit.scorer import Spelling, by_network, log_likelihoods
from ctcasr.audit.slotarrays import Floats, SlotArrays
from ctcasr.audit.slots import NOTHING, SlotTable, Vocabulary, slots_of, tables, text_of
from ctcasr.audit.textnoise import OwnText, TextTable
from ctcasr.audit.wordnoise import BEFORE_CORRECTION, WordModel, WordNoise

_MOST_CHANGES = 6  # times that a line's text is corrected and judged anew


@dataclass(eq=False)
class Line:
    """A line while it is judged."""

    heard: Heard
    texts: TextTable
    other_speaker: float = -math.inf  # ln odds that another one speaks
    edges: LineEdges = field(default_factory=LineEdges)  # whether it begins or ends in speech
    context: list[str] = field(default_factory=list)  # slots as they are believed to be
    slots: list[SlotTable] = field(default_factory=list)
    shortfall: float = 0.0  # nats by which the context fits worse than what is heard without a text
    words: list[WordVerdict] = field(default_factory=list)

    @property
    def written(self) -> list[str]:
        """Slots as they are written."""
        return slots_of(self.heard.words)


def pack_slots(lines: Sequence[Line], vocabulary: Vocabulary) -> SlotArrays:
    """The slots of all lines, one line after the other."""
    slots = [line.slots for line in lines]
    return SlotArrays(slots, vocabulary, [line.shortfall for line in lines])


def correct_lines(
    lines: Sequence[Line],
    known: Sequence[Line],
    vocabulary: Vocabulary,
    spelling: Spelling,
    took_one: Callable[[], None] = lambda: None,
) -> list[OwnText]:
    """Correct the texts of lines whose slots hold what is written; what they were and are now.

    The shares of errors are those of the lines that are `known` to have their own text. But all are
    corrected: a text with a wrong word may be taken for another's until it is.
    """
    model = WordModel(pack_slots(known, vocabulary))
    noise = model.fit(BEFORE_CORRECTION)
    for line, weights in zip(lines, _weights_of(lines, known, model, noise), strict=True):
        _correct(line, noise, weights, vocabulary, spelling)
        took_one()
    prices = Prices(noise, vocabulary)
    own_texts = []
    for line in lines:
        texts = [line.heard.text, text_of(line.context)]
        written, corrected = log_likelihoods(line.heard, texts, spelling).tolist()
        own_texts.append(prices.own_text(line, written, corrected))
        line.shortfall = _shortfall(line, spelling)
    return own_texts


def _shortfall(line: Line, spelling: Spelling) -> float:
    """Nats by which the network likes the line's context less than what it hears by itself."""
    texts = [line.heard.hypothesis, text_of(line.context)]
    of_itself, of_context = by_network(line.heard, texts, spelling).tolist()
    return float(of_itself - of_context)


def _weights_of(
    lines: Sequence[Line], known: Sequence[Line], model: WordModel, noise: WordNoise
) -> list[Floats]:
    """How the slots of each line are heard; of lines that the model does not know, as of any."""
    rows = model.posteriors(noise).weights
    of_known = {id(line): row for line, row in zip(known, rows, strict=True)}
    of_any = noise.weights_of_any.double().numpy()
    return [of_known.get(id(line), of_any) for line in lines]


def _correct(
    line: Line,
    noise: WordNoise,
    weights: Floats,
    vocabulary: Vocabulary,
    spelling: Spelling,
) -> None:
    """Change the context to what is likelier, one slot at a time, and judge it anew.

    Several at once would be wrong: what one superfluous word costs, the removal of each of its
    neighbours gains as well.
    """
    for _ in range(_MOST_CHANGES):
        best_gain = 0.0
        best_place = -1
        best_word = ""
        for place, slot in enumerate(line.slots):
            word, gain = _best(slot, noise, weights, vocabulary, line.context[place])
            if gain > best_gain:
                best_gain = gain
                best_place = place
                best_word = word
        if best_place < 0:
            return
        line.context[best_place] = best_word
        line.slots = tables(line.heard, line.written, line.context, vocabulary, spelling)


def _best(
    slot: SlotTable, noise: WordNoise, weights: Floats, vocabulary: Vocabulary, present: str
) -> tuple[str, float]:
    """The likeliest content of a slot, and what it gains over the present one."""
    if slot.gap:
        log_nothing = np.log1p(-noise.missing)
        log_another = np.log(noise.missing)
    else:
        log_nothing = np.log(noise.superfluous)
        log_another = np.log(noise.substituted)
    log_right = np.log1p(-noise.substituted - noise.superfluous)

    log_shares = vocabulary.log_shares[slot.words]
    fit_of_nothing, fits = noise.fits(slot, np.exp(log_shares), weights)
    scores = {NOTHING: fit_of_nothing + float(log_nothing)}
    for number, fit, log_share in zip(slot.words, fits, log_shares, strict=True):
        word = vocabulary.words[number]
        prior = log_another + log_share
        if word == slot.written:
            prior = log_right
        scores[word] = float(fit + prior)
    best = max(scores, key=lambda word: scores[word])
    gain = scores[best] - scores.get(present, -np.inf)
    return best, gain


@dataclass(frozen=True)
class Prices:
    """What the changes of a line's text cost."""

    noise: WordNoise
    vocabulary: Vocabulary

    def __call__(self, line: Line) -> float:
        """Log prior of the changes that were made to a line."""
        noise = self.noise
        price = 0.0
        for written, believed in zip(line.written, line.context, strict=True):
            if written == believed:
                continue
            if not believed:
                price += np.log(noise.superfluous)
                continue
            share = noise.substituted if written else noise.missing
            number = self.vocabulary.words.index(believed)
            price += np.log(share) + self.vocabulary.log_shares[number]
        return float(price)

    def own_text(self, line: Line, written: float, corrected: float) -> OwnText:
        """A line's own text, of nats as it is written and as it was corrected."""
        if line.context == line.written:
            return OwnText(written)
        return OwnText(written, corrected, self(line))
