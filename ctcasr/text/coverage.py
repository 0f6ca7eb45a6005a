"""Which characters of a corpus the alphabet cannot write, and where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ctcasr.text.tokenizer import Tokenizer

_EXAMPLES = 3


@dataclass(frozen=True)
class Coverage:
    """Characters that `encode` leaves out of a corpus, and the utterances that hold them."""

    n_utterances: int
    n_affected: int = 0  # utterances with at least one of them
    characters: Mapping[str, int] = field(default_factory=dict)  # most frequent first
    examples: Mapping[str, list[str]] = field(
        default_factory=dict
    )  # the first few utterances of each
    empty: list[str] = field(default_factory=list)  # utterances of which nothing is left

    @property
    def complete(self) -> bool:
        """True where every character of every text can be written."""
        return not self.characters

    def __str__(self) -> str:
        if self.complete and not self.empty:
            return f"every character of {self.n_utterances} texts is in the alphabet"
        lines = []
        if self.characters:
            lines.append(
                f"{sum(self.characters.values())} characters of {self.n_affected} of {self.n_utterances} texts "
                "are outside the alphabet and left out:"
            )
        for char, count in self.characters.items():
            lines.append(
                f"  {char!r} U+{ord(char):04X} x{count}, as in {', '.join(self.examples[char])}"
            )
        if self.empty:
            lines.append(
                f"{len(self.empty)} texts are empty after that: {', '.join(self.empty[:_EXAMPLES])}"
            )
        return "\n".join(lines)


def measure_coverage(texts: Iterable[tuple[str, str]], tokenizer: Tokenizer) -> Coverage:
    """Count what `tokenizer` would leave out of `texts`, pairs (where, text); nothing raises, strict mode or not."""
    characters: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    empty: list[str] = []
    total = affected = 0
    for where, text in texts:
        total += 1
        missing = tokenizer.uncovered(text)
        affected += bool(missing)
        characters.update(missing)
        for char in missing:
            places = examples.setdefault(char, [])
            if len(places) < _EXAMPLES:
                places.append(where)
        normal = tokenizer.normalise(text).replace(" ", "")
        if sum(count for char, count in missing.items() if char != " ") == len(normal):
            empty.append(where)
    return Coverage(total, affected, dict(characters.most_common()), examples, empty)
