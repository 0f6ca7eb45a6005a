"""Are the targets what the texts say? Counts about a batch and its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ctcasr.batch import Batch
from ctcasr.text import Tokenizer


@dataclass
class TargetStats:
    """Counts over rows; they add up row by row.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> stats = TargetStats()
        >>> stats.add("ab", [2, 3], Alphabet(" abc"))
        >>> stats.add("ab", [3, 4], Alphabet(" abc"))
        >>> stats.rows, stats.unlike_text, stats.shifted
        (2, 1, 1)
    """

    rows: int = 0
    empty: int = 0  # rows without a label
    shifted: int = 0  # rows whose labels are the text's numbers plus or minus one
    padded: int = 0  # rows whose labels are the text and one symbol again and again
    unlike_text: int = 0  # rows whose labels do not spell the text
    swapped: int = 0  # rows whose labels spell the text of another row of their batch
    labels: int = 0
    characters: int = 0
    uncovered: int = 0  # characters that the tokenizer cannot write

    def add(self, text: str, labels: Sequence[int], tokenizer: Tokenizer) -> None:
        """Count one row: the text of its utterance, and the labels it is trained on."""
        normal = tokenizer.normalise(text)
        reference = tokenizer.reference(text)
        self.rows += 1
        self.labels += len(labels)
        self.characters += len(normal)
        self.uncovered += sum(reference.taken_out.values())
        if not labels:
            self.empty += 1
        elif reference.complete:
            self.padded += _is_padded(labels, tokenizer.encode(text))
            if _decoded(tokenizer, labels) != reference.text:
                self.unlike_text += 1
                self.shifted += _is_shifted(labels, reference.text, tokenizer)

    def merge(self, other: TargetStats) -> None:
        """Add the counts of other rows."""
        for count in fields(self):
            total = getattr(self, count.name) + getattr(other, count.name)
            setattr(self, count.name, total)

    def as_json(self) -> dict[str, float]:
        """Shares of the rows, the share of the characters outside, and labels a row."""
        rows = max(self.rows, 1)
        return {
            "empty": self.empty / rows,
            "shifted": self.shifted / rows,
            "padded": self.padded / rows,
            "unlike_text": self.unlike_text / rows,
            "swapped": self.swapped / rows,
            "outside_alphabet": self.uncovered / max(self.characters, 1),
            "labels": self.labels / rows,
        }


def target_stats(batch: Batch, tokenizer: Tokenizer) -> TargetStats:
    """The counts of a batch."""
    stats = TargetStats()
    texts = [utterance.text or "" for utterance in batch.utterances]
    spoken = {tokenizer.reference(text).text for text in texts}
    targets = batch.targets.cpu().split(list(batch.target_lengths))
    for text, row in zip(texts, targets, strict=True):
        labels = row.tolist()
        unlike_before = stats.unlike_text
        stats.add(text, labels, tokenizer)
        if stats.unlike_text > unlike_before:
            stats.swapped += _decoded(tokenizer, labels) in spoken
    return stats


def _is_padded(labels: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether labels are the expected ones and then one symbol twice or more."""
    over = labels[len(expected) :]
    begins_as_expected = list(labels[: len(expected)]) == list(expected)
    return begins_as_expected and len(over) > 1 and len(set(over)) == 1


def _is_shifted(labels: Sequence[int], reference: str, tokenizer: Tokenizer) -> bool:
    """Whether labels spell the reference once one is added to, or taken from, each."""
    for shift in (-1, 1):
        if _decoded(tokenizer, [label + shift for label in labels]) == reference:
            return True
    return False


def _decoded(tokenizer: Tokenizer, labels: Sequence[int]) -> str | None:
    """The text of labels; None where one of them is none of the tokenizer's, or its blank."""
    for label in labels:
        if not 0 <= label < tokenizer.size or label == tokenizer.blank:
            return None
    return tokenizer.decode(list(labels))
