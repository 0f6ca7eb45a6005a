"""Which characters of a corpus the alphabet cannot write, and where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ctcasr.text.tokenizer import Tokenizer

_EXAMPLES = 3  # utterances that are named for each character


@dataclass(frozen=True)
class Coverage:
    """Characters that `encode` leaves out of a corpus, and the utterances that hold them."""

    n_utterances: int
    n_affected: int = 0  # utterances with at least one of them
    characters: Mapping[str, int] = field(default_factory=dict)  # most frequent first
    examples: Mapping[str, list[str]] = field(default_factory=dict)  # first utterances of each
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
            total = sum(self.characters.values())
            lines.append(
                f"{total} characters of {self.n_affected} of "
                f"{self.n_utterances} texts are outside the alphabet and left out:"
            )
        for character, count in self.characters.items():
            examples = ", ".join(self.examples[character])
            lines.append(f"  {character!r} U+{ord(character):04X} x{count}, as in {examples}")
        if self.empty:
            examples = ", ".join(self.empty[:_EXAMPLES])
            lines.append(f"{len(self.empty)} texts are empty after that: {examples}")
        return "\n".join(lines)


def measure_coverage(texts: Iterable[tuple[str, str]], tokenizer: Tokenizer) -> Coverage:
    """Count what `tokenizer` takes out of `texts`, pairs (where, text); strict mode or not.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> coverage = measure_coverage([("a.wav", "50 %")], Alphabet.english38())
        >>> coverage.characters
        {'%': 1}
    """
    characters: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    empty: list[str] = []
    n_utterances = 0
    n_affected = 0
    for where, text in texts:
        n_utterances += 1
        reference = tokenizer.reference(text)
        n_affected += not reference.complete
        characters.update(reference.taken_out)
        for character in reference.taken_out:
            places = examples.setdefault(character, [])
            if len(places) < _EXAMPLES:
                places.append(where)
        if not reference.text:
            empty.append(where)
    ranked = dict(characters.most_common())
    return Coverage(n_utterances, n_affected, ranked, examples, empty)
