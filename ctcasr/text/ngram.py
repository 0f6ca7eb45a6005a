"""Word n-gram language models in ARPA format: reading, writing, scoring; `ngram_train` makes them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
_LN10 = math.log(10.0)

Words = tuple[str, ...]


class ArpaError(ValueError):
    """An ARPA file that cannot be read; names file and line."""


@dataclass(frozen=True)
class NGram:
    """A back-off model: log10 probability and log10 back-off weight of every n-gram it knows, as ARPA files hold them."""

    order: int
    grams: Mapping[Words, tuple[float, float]]

    def start(self) -> Words:
        """The context in which a sentence begins."""
        return self._context((BEGIN,))

    def step(self, context: Words, word: str) -> tuple[Words, float]:
        """The context after `word`, and its log-probability in nats; a word that is not in the model counts as <unk>."""
        if (word,) not in self.grams:
            word = UNKNOWN
        value = 0.0
        whole = (*context, word)
        while whole not in self.grams:
            if len(whole) == 1:  # a model without <unk>
                return (), -math.inf
            value += self.grams.get(whole[:-1], (0.0, 0.0))[1]
            whole = whole[1:]
        return self._context((*context, word)), _LN10 * (value + self.grams[whole][0])

    def end(self, context: Words) -> float:
        """Log-probability of the sentence's end, nats."""
        return self.step(context, END)[1]

    def score(self, words: Sequence[str]) -> float:
        """Log-probability of a whole sentence, its end included, nats."""
        context, total = self.start(), 0.0
        for word in words:
            context, value = self.step(context, word)
            total += value
        return total + self.end(context)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """exp of the mean negative log-probability per word, ends of sentences counted as words, unknown words as <unk>."""
        total, count = 0.0, 0
        for words in sentences:
            total += self.score(words)
            count += len(words) + 1
        if count == 0:
            raise ValueError("perplexity: expected at least one sentence; got none")
        return math.exp(-total / count)

    @property
    def words(self) -> frozenset[str]:
        """The vocabulary, without <s>, </s> and <unk>."""
        return frozenset(gram[0] for gram in self.grams if len(gram) == 1) - {BEGIN, END, UNKNOWN}

    def _context(self, words: Words) -> Words:
        """The longest end of `words` that anything can depend on, so that equal futures have equal contexts."""
        words = words[max(0, len(words) - self.order + 1) :]
        while words and words not in self.grams:
            words = words[1:]
        return words

    def write(self, path: Path | str) -> Path:
        """An ARPA file, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            temporary.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return path

    def _lines(self) -> Iterator[str]:
        by_order: list[list[Words]] = [[] for _ in range(self.order)]
        for gram in self.grams:
            by_order[len(gram) - 1].append(gram)
        yield "\\data\\"
        yield from (f"ngram {n}={len(grams)}" for n, grams in enumerate(by_order, start=1))
        for n, grams in enumerate(by_order, start=1):
            yield ""
            yield f"\\{n}-grams:"
            for gram in sorted(grams):
                probability, back_off = self.grams[gram]
                weight = "" if n == self.order else f"\t{back_off:.7g}"
                yield f"{probability:.7g}\t{' '.join(gram)}{weight}"
        yield ""
        yield "\\end\\"

    @staticmethod
    def read(path: Path | str) -> NGram:
        """The model of an ARPA file; ArpaError names the line that is wrong."""
        path = Path(path)
        if not path.is_file():
            raise ArpaError(
                f"{path}: expected an ARPA file; there is none (tools/train_lm.py writes one)"
            )
        grams: dict[Words, tuple[float, float]] = {}
        promised: dict[int, int] = {}
        order, closed = 0, False
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                line = line.strip()
                if line.startswith("\\"):
                    closed = line == "\\end\\"
                    order = int(line[1:].split("-")[0]) if line.endswith("-grams:") else 0
                elif line.startswith("ngram ") and not order:
                    size, _, much = line.removeprefix("ngram ").partition("=")
                    promised[int(size)] = int(much)
                elif line and order:
                    words, values = _fields(line, order, f"{path}:{number}")
                    grams[words] = values
        if not promised or not closed:
            raise ArpaError(
                f"{path}: expected \\data\\, n-grams and \\end\\; the file is no ARPA file, or it is truncated"
            )
        for n, count in promised.items():
            found = sum(len(gram) == n for gram in grams)
            if found != count:
                raise ArpaError(
                    f"{path}: expected {count} n-grams of order {n}, as its header says; got {found}"
                )
        return NGram(max(promised), grams)


def _fields(line: str, order: int, where: str) -> tuple[Words, tuple[float, float]]:
    fields = line.split()
    try:
        if len(fields) in (order + 1, order + 2):
            back_off = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
            return tuple(fields[1 : order + 1]), (float(fields[0]), back_off)
    except ValueError:
        pass
    raise ArpaError(
        f"{where}: expected a log10 probability, {order} words and perhaps a back-off weight; got {line!r}"
    )
