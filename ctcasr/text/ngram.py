"""Word n-gram language models with back-off; `arpa` reads and writes them, `ngram_train` learns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcasr.text.arpa import BEGIN, END, UNKNOWN, Gram, read_arpa, write_arpa

_LN10 = math.log(10.0)
LEAST_LOG10 = -100.0  # of a word that a model without <unk> does not know: KenLM's value


@dataclass(frozen=True)
class NGram:
    """A back-off model: log10 probability and log10 back-off weight of every n-gram it knows.

    Example:
        >>> from ctcasr.text import train_ngram
        >>> model = train_ngram([["lay", "blue"], ["lay", "red"]], order=2).model
        >>> model.score(["lay", "blue"]) > model.score(["blue", "lay"])
        True
    """

    order: int
    grams: Mapping[Gram, tuple[float, float]]

    def start(self) -> Gram:
        """The context in which a sentence begins."""
        return self._context((BEGIN,))

    def step(self, context: Gram, word: str) -> tuple[Gram, float]:
        """The context after `word`, and its log-probability in nats.

        A word that is not in the model counts as <unk>; in a model without <unk> it has the
        log10 probability -100 of KenLM, and so has whatever the file calls less probable.
        """
        if (word,) not in self.grams:
            word = UNKNOWN
        ngram = (*context, word)
        log10 = 0.0
        while ngram not in self.grams:
            if len(ngram) == 1:  # a model without <unk>
                return (), _LN10 * LEAST_LOG10
            _, back_off = self.grams.get(ngram[:-1], (0.0, 0.0))
            log10 += back_off
            ngram = ngram[1:]
        probability, _ = self.grams[ngram]
        return self._context((*context, word)), _LN10 * max(log10 + probability, LEAST_LOG10)

    def end(self, context: Gram) -> float:
        """Log-probability of the sentence's end, nats."""
        _, value = self.step(context, END)
        return value

    def score(self, words: Sequence[str]) -> float:
        """Log-probability of a whole sentence, its end included, nats."""
        context = self.start()
        total = 0.0
        for word in words:
            context, value = self.step(context, word)
            total += value
        return total + self.end(context)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """exp of the mean negative log-probability per word, the ends of sentences as words.

        Raises:
            ValueError: for no sentences.
        """
        total = 0.0
        count = 0
        for words in sentences:
            total += self.score(words)
            count += len(words) + 1
        if count == 0:
            raise ValueError("perplexity: expected at least one sentence; got none")
        return math.exp(-total / count)

    @property
    def words(self) -> frozenset[str]:
        """The vocabulary, without <s>, </s> and <unk>."""
        unigrams = frozenset(ngram[0] for ngram in self.grams if len(ngram) == 1)
        return unigrams - {BEGIN, END, UNKNOWN}

    @property
    def knows_unknown(self) -> bool:
        """Does it give unknown words a probability?"""
        return (UNKNOWN,) in self.grams

    def _context(self, words: Gram) -> Gram:
        """The longest end of `words` that anything can depend on: equal futures, equal contexts."""
        words = words[max(0, len(words) - self.order + 1) :]
        while words and words not in self.grams:
            words = words[1:]
        return words

    def write(self, path: Path | str) -> Path:
        """An ARPA file, whole or not at all; returns its path."""
        return write_arpa(path, self._by_order())

    def _by_order(self) -> Iterator[dict[Gram, tuple[float, float]]]:
        for order in range(1, self.order + 1):
            yield {ngram: values for ngram, values in self.grams.items() if len(ngram) == order}

    @staticmethod
    def read(path: Path | str) -> NGram:
        """The model of an ARPA file (also .arpa.gz).

        Raises:
            ArpaError: names file and line where it is none, broken, or of another encoding.
        """
        order, grams = read_arpa(path)
        return NGram(order, grams)
