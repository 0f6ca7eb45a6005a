"""What is wrong with each line: the kinds weighed against each other, and what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp

from ctcasr.audit.edges import LineEdges, edges_of
from ctcasr.audit.foreign import Fits
from ctcasr.audit.habits import without_habits
from ctcasr.audit.heard import Heard
from ctcasr.audit.scorer import Spelling, by_network, log_likelihoods
from ctcasr.audit.slotarrays import Floats, SlotArrays
from ctcasr.audit.slots import NOTHING, SlotTable, Vocabulary, slots_of, tables, text_of
from ctcasr.audit.speakers import other_speaker
from ctcasr.audit.textnoise import (
    OwnText,
    TextNoise,
    Texts,
    TextTable,
    fit_bonus,
    fit_swaps,
    partners,
    text_table,
)
from ctcasr.audit.wordnoise import BEFORE_CORRECTION, Posteriors, WordModel, WordNoise

RIGHT = "right"
SWAPPED = "swapped"  # the text belongs to another recording
SUBSTITUTED = "substituted"  # a word is another one
MISSING = "missing"  # words were said and are not written
SUPERFLUOUS = "superfluous"  # words are written and were not said
CUT = "cut"  # the recording ends, or begins, within the text
NO_SPEECH = "no-speech"  # nothing that is written is heard
FOREIGN = "foreign"  # the recording fits no text of the manifest
SPEAKER = "speaker"  # the text may be right, but another one speaks than the manifest says
KINDS = (RIGHT, SWAPPED, SUBSTITUTED, MISSING, SUPERFLUOUS, CUT, NO_SPEECH, FOREIGN, SPEAKER)

_MOST_CHANGES = 6  # times that a line's text is corrected and judged anew
_PROBABLY = 0.5  # posterior from which on a line or a word is taken for wrong
_SUREST = 1 - 1e-9  # posterior that a word may have
_FEWEST_CUT = 3  # characters that a cut recording lacks
_LEAST_KEPT = 0.3  # of the text: of less it cannot be said that it is the right one
_ROUNDS = 20  # in which the shares of cut and silent lines are fitted
_FIRST_SHARE = 0.01
# Such lines that are believed in before anything was seen, of so many.
_PRIOR_LINES = 0.1
_PRIOR_OF = 20.0
_SMALLEST_SHARE = 1e-5
_LARGEST_SHARE = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WordVerdict:
    """One word, or one gap between words, with the posterior that it is wrong."""

    place: int  # of the word among the words of the text; of a gap: of the word behind it
    written: str  # empty: a gap
    wrong: float
    kind: str
    suggestion: str  # the word that fits best there; empty: nothing


@dataclass(frozen=True, eq=False)
class LineVerdict:
    """One line: the posterior that it is wrong, of what kind, and what it should be."""

    heard: Heard
    wrong: float
    kinds: Mapping[str, float]  # posteriors; they sum to 1
    words: tuple[WordVerdict, ...]  # of all words and gaps
    suggestion: str  # the likeliest text
    partner: str  # of a swap: the text that fits best among the others
    partner_share: float  # of all other texts' fit, that of the partner
    nats_per_symbol: float

    @property
    def kind(self) -> str:
        """The likeliest kind; of a line that is probably wrong, the likeliest that is not right."""
        wrong = {kind: share for kind, share in self.kinds.items() if kind != RIGHT}
        if self.wrong < _PROBABLY:
            return RIGHT
        return max(wrong, key=lambda kind: wrong[kind])


@dataclass(eq=False)
class _Line:
    """A line while it is judged."""

    heard: Heard
    texts: TextTable
    other_speaker: float = -math.inf  # ln odds that another one speaks
    edges: LineEdges = field(default_factory=LineEdges)  # whether it begins or ends in speech
    context: list[str] = field(default_factory=list)  # slots as they are believed to be
    slots: list[SlotTable] = field(default_factory=list)
    words: list[WordVerdict] = field(default_factory=list)

    @property
    def written(self) -> list[str]:
        return slots_of(self.heard.words)


@dataclass(frozen=True)
class Judged:
    """The verdicts of all lines, and the shares of errors that were fitted."""

    lines: tuple[LineVerdict, ...]
    words: WordNoise
    texts: TextNoise
    bonus: float  # nats that a symbol is worth


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
    lines: list[_Line] = []
    voices = other_speaker(
        [line.voice for line in heard],
        [line.utterance.speaker for line in heard],
    )
    edges = edges_of(heard, spelling.tokenizer.blank)
    for heard_line, other, edges_of_line in zip(heard, voices, edges, strict=True):
        table = text_table(heard_line, texts, spelling)
        lines.append(_Line(heard_line, table, other, edges_of_line))
        steps.take()
    spelling = Spelling(spelling.tokenizer, fit_bonus([line.texts for line in lines]))
    for line in lines:
        line.texts = line.texts.with_bonus(spelling.bonus)
    text_tables = [line.texts for line in lines]
    swaps = fit_swaps(text_tables)
    trust = swaps.trust  # in nats of a whole text

    # Words of the lines that may have their own text. A text with a wrong word is no longer taken
    # for another's once it is corrected, so all are.
    for line in lines:
        line.context = line.written
        line.slots = tables(line.heard, line.written, line.context, vocabulary, spelling)
        steps.take()
    first = [line for line in lines if not swaps.surely(line.texts, line.texts.own_text)]
    model = WordModel(_packed(first, vocabulary))
    noise = model.fit(BEFORE_CORRECTION)
    for line, weights in zip(lines, _weights_of(lines, first, model, noise), strict=True):
        _correct(line, noise, weights, vocabulary, spelling)
        steps.take()
    prices = _Prices(noise, vocabulary)
    own_texts = [_own_text(line, prices, spelling) for line in lines]
    swaps = fit_swaps(text_tables, own_texts)

    # What is wrong with the words of those that have it.
    single = []
    for line, own in zip(lines, own_texts, strict=True):
        if not swaps.surely(line.texts, own):
            single.append(line)
    noise = _judge_words(single, lines, vocabulary)

    # Lines as a whole.
    prices = _Prices(noise, vocabulary)
    evidence = [_evidence(line, prices, trust, spelling) for line in lines]
    swaps = fit_swaps(text_tables, [known.own for known in evidence])
    verdicts = _verdicts(lines, evidence, swaps, trust, texts, Spelling(spelling.tokenizer))
    steps.finish()
    return Judged(tuple(verdicts), noise, swaps, spelling.bonus)


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


def _packed(lines: Sequence[_Line], vocabulary: Vocabulary) -> SlotArrays:
    """The slots of all lines, one line after the other."""
    return SlotArrays([line.slots for line in lines], vocabulary)


def _note_words(lines: Sequence[_Line], posteriors: Posteriors, vocabulary: Vocabulary) -> None:
    """Give each line the verdicts of its words."""
    row = 0
    for line in lines:
        for place, slot in enumerate(line.slots):
            another = posteriors.another[row, : len(slot.nats)]
            nothing = float(posteriors.nothing[row])
            verdict = _word_verdict(place, slot, another, nothing, vocabulary)
            line.words.append(verdict)
            row += 1


def _judge_words(
    single: Sequence[_Line], lines: Sequence[_Line], vocabulary: Vocabulary
) -> WordNoise:
    """Note what is wrong with the words of all lines, as those say that have their own text."""
    packed = _packed(single, vocabulary)
    model = WordModel(packed)
    noise = model.fit()
    posteriors = without_habits(model.posteriors(noise), noise, packed)
    _note_words(single, posteriors, vocabulary)
    known = {id(line) for line in single}
    others = [line for line in lines if id(line) not in known]
    _note_words(others, WordModel(_packed(others, vocabulary)).posteriors(noise), vocabulary)
    return noise


def _weights_of(
    lines: Sequence[_Line], known: Sequence[_Line], model: WordModel, noise: WordNoise
) -> list[Floats]:
    """How the slots of each line are heard; of lines that the model does not know, as of any."""
    rows = model.posteriors(noise).weights
    of_known = {id(line): row for line, row in zip(known, rows, strict=True)}
    of_any = (noise.clarities @ noise.weights).double().numpy()
    return [of_known.get(id(line), of_any) for line in lines]


def _correct(
    line: _Line,
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
class _Evidence:
    """What is known of a line before the shares of its kinds are fitted, in log weights."""

    words: tuple[WordVerdict, ...]
    own: OwnText
    log_right: float  # that no word is wrong, of all ways in which the text is the line's own
    part_nats: Floats  # with beginnings and ends of the text
    part_edges: Floats  # ln ratio of the recording's edge, if it was cut where a part is
    silent_nats: float  # with no text at all
    best_fit: float  # nats a symbol of the text that fits best, of all that were tried
    cut_text: str
    suggestion: str


@dataclass(frozen=True)
class _Prices:
    """What the changes of a line's text cost."""

    noise: WordNoise
    vocabulary: Vocabulary

    def __call__(self, line: _Line) -> float:
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


def _own_text(line: _Line, prices: _Prices, spelling: Spelling) -> OwnText:
    """A line's own text, and what it was corrected to."""
    texts = [line.heard.text, text_of(line.context)]
    written, corrected = log_likelihoods(line.heard, texts, spelling)
    if line.context == line.written:
        return OwnText(float(written))
    return OwnText(float(written), float(corrected), prices(line))


def _evidence(line: _Line, prices: _Prices, trust: float, spelling: Spelling) -> _Evidence:
    """What is known of a line whose words have been judged."""
    text = line.heard.text
    parts = _parts(text, line.edges)
    believed = _believed_text(line)
    whole_texts = ["", believed, text_of(line.context), text]
    asked = [*whole_texts, *parts]
    nats = log_likelihoods(line.heard, asked, spelling)
    part_nats = nats[len(whole_texts) :]
    part_edges = np.array(list(parts.values()))
    cut_text = text
    if parts:
        best_part = int(np.argmax(trust * part_nats + part_edges))
        cut_text = list(parts)[best_part]
    symbols = np.array([len(spelling(asked_text)) for asked_text in asked])
    fits = np.concatenate([nats / symbols.clip(1), line.texts.nats_per_symbol])
    return _Evidence(
        words=tuple(line.words),
        own=_own_text(line, prices, spelling),
        log_right=_log_all_right(line.words),
        part_nats=part_nats,
        part_edges=part_edges,
        silent_nats=float(nats[0]),
        best_fit=float(fits.max()),
        cut_text=cut_text,
        suggestion=believed,
    )


def _believed_text(line: _Line) -> str:
    """The text with what fits better wherever a word or a gap is probably wrong."""
    slots = line.written
    for place, word in enumerate(line.words):
        if word.wrong >= _PROBABLY:
            slots[place] = word.suggestion
    return text_of(slots)


def _log_all_right(words: Sequence[WordVerdict]) -> float:
    """ln P(no word is wrong), of words that are wrong independently of each other."""
    total = 0.0
    for word in words:
        wrong = min(word.wrong, _SUREST)
        total += math.log1p(-wrong)
    return total


def _parts(text: str, edges: LineEdges) -> dict[str, float]:
    """Beginnings of a text, within words too, and its ends from each word on.

    Of each, what the edge says at which the recording was cut.
    """
    least = round(_LEAST_KEPT * len(text))
    most = len(text) - _FEWEST_CUT
    parts: dict[str, float] = {}
    for end in range(least, most + 1):
        parts[text[:end].strip()] = edges.ends_in_speech
    words = text.split()
    for start in range(1, len(words)):
        end_of_text = " ".join(words[start:])
        if len(end_of_text) >= least:
            parts.setdefault(end_of_text, edges.begins_in_speech)
    parts.pop("", None)
    return parts


def _word_verdict(
    place: int, slot: SlotTable, another: Floats, nothing: float, vocabulary: Vocabulary
) -> WordVerdict:
    """The verdict on one slot, of posteriors of its candidates and of nothing."""
    of_words = float(another.sum())
    kind = MISSING if slot.gap else SUBSTITUTED
    suggestion = NOTHING
    if not slot.gap and nothing > of_words:
        kind = SUPERFLUOUS
    elif len(another):
        likeliest = slot.words[int(np.argmax(another))]
        suggestion = vocabulary.words[likeliest]
    return WordVerdict(
        place=place // 2,
        written=slot.written,
        wrong=min(of_words + nothing, 1.0),
        kind=kind,
        suggestion=suggestion,
    )


def _verdicts(
    lines: Sequence[_Line],
    evidence: Sequence[_Evidence],
    swaps: TextNoise,
    trust: float,
    texts: Texts,
    spelling: Spelling,
) -> list[LineVerdict]:
    """Verdicts, with the shares of cut, silent and foreign lines fitted to all."""
    fits = Fits.of([known.best_fit for known in evidence])
    shares = dict.fromkeys((CUT, NO_SPEECH, FOREIGN), _FIRST_SHARE)
    posteriors: list[dict[str, float]] = []
    for _ in range(_ROUNDS):
        posteriors = []
        for line, known in zip(lines, evidence, strict=True):
            kinds = _kinds(line, known, swaps, trust, fits, shares)
            posteriors.append(kinds)
        for kind in shares:
            shares[kind] = _share([kinds[kind] for kinds in posteriors])
    verdicts = []
    for line, known, kinds in zip(lines, evidence, posteriors, strict=True):
        partner = ""
        partner_share = 0.0
        best_partners = partners(line.texts, trust, most=1)
        if best_partners:
            number, partner_share = best_partners[0]
            partner = texts.texts[number]
        symbols = line.texts.own_symbols
        nats = float(by_network(line.heard, [line.heard.text], spelling)[0])
        verdict = LineVerdict(
            heard=line.heard,
            wrong=1 - kinds[RIGHT],
            kinds=kinds,
            words=() if swaps.surely(line.texts, known.own) else known.words,
            suggestion=_suggestion(kinds, known, partner),
            partner=partner,
            partner_share=partner_share,
            nats_per_symbol=-nats / max(symbols, 1),
        )
        verdicts.append(verdict)
    return verdicts


def _suggestion(kinds: Mapping[str, float], known: _Evidence, partner: str) -> str:
    """The text that the likeliest kind asks for."""
    likeliest = max(kinds, key=lambda kind: kinds[kind])
    if likeliest == SWAPPED:
        return partner
    if likeliest == CUT:
        return known.cut_text
    if likeliest in (NO_SPEECH, FOREIGN):
        return ""
    return known.suggestion


def _kinds(
    line: _Line,
    known: _Evidence,
    swaps: TextNoise,
    trust: float,
    fits: Fits,
    shares: Mapping[str, float],
) -> dict[str, float]:
    """Posteriors of the kinds of a line; its own text has weight 1 in all its ways."""
    fit_of_own = known.own.fit(trust)
    fit_of_silence = trust * known.silent_nats - fit_of_own
    swapped = swaps.log_odds(line.texts, known.own)
    # The text of a foreign recording is any of the manifest's, as that of a swapped line.
    foreign_for_swapped = np.log(shares[FOREIGN]) - np.log(swaps.swapped)
    any_edges = line.edges.of_any_recording
    log_weights = {
        RIGHT: known.log_right - np.logaddexp(0.0, line.other_speaker),
        SPEAKER: known.log_right - np.logaddexp(0.0, -line.other_speaker),
        SWAPPED: swapped,
        CUT: -np.inf,
        NO_SPEECH: np.log(shares[NO_SPEECH]) + fit_of_silence + any_edges,
        FOREIGN: swapped + foreign_for_swapped + fits.log_ratio(known.best_fit) + any_edges,
    }
    if len(known.part_nats):
        fits_of_parts = trust * known.part_nats - fit_of_own + known.part_edges
        share_of_each = shares[CUT] / len(fits_of_parts)
        log_weights[CUT] = np.log(share_of_each) + logsumexp(fits_of_parts)
    for kind, share in _kinds_of_words(known).items():
        log_weights[kind] = float(np.log(share)) if share > 0 else -np.inf
    log_total = logsumexp(list(log_weights.values()))
    posteriors = {}
    for kind in KINDS:
        posteriors[kind] = float(np.exp(log_weights[kind] - log_total))
    return posteriors


def _kinds_of_words(known: _Evidence) -> dict[str, float]:
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
