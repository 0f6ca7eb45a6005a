"""Sentence pieces (Kudo and Richardson, EMNLP 2018), carried inside the checkpoint."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ctcasr.text.alphabet import Alphabet, OverAlphabet

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

_BLANK = 0  # takes the place of SentencePiece's unknown piece
_WORD_MARK = "\u2581"  # that SentencePiece puts before a word's first piece
_BYTES_A_CHARACTER = 4  # of UTF-8, at most
_USUAL_LONGEST_LINE = 4192  # SentencePiece's own limit in bytes, beyond which it drops a line


@dataclass(frozen=True)
class Pieces(OverAlphabet):
    """A tokenizer of pieces over the characters of an alphabet; number 0 is the blank.

    Example:
        >>> pieces = Pieces.train(["ab c", "ab ab c", "cab"], 10, Alphabet(" abc"))
        >>> pieces.decode(pieces.encode("Ab, c!"))
        'ab c'
    """

    model: bytes = field(repr=False)
    alphabet: Alphabet

    @staticmethod
    def train(texts: Iterable[str], size: int, alphabet: Alphabet | None = None) -> Pieces:
        """At most `size` symbols, the blank and every character of the alphabet among them.

        Raises:
            ValueError: where `size` does not hold them, or no text has a character of it.
            UncoveredText: for a strict alphabet, where a text has other characters.
        """
        import sentencepiece

        alphabet = alphabet or Alphabet.english38()
        characters = "".join(alphabet.symbols).replace(" ", "")
        least = len(characters) + 2  # the blank and the word mark
        if size < least:
            raise ValueError(
                f"pieces: expected size >= {least} (every character, word mark, blank); got {size}"
            )
        covered = [alphabet.covered(text) for text in texts]
        lines = [line for line in covered if line]
        if not lines:
            raise ValueError(
                "pieces: expected texts to train on; got none with a character of the alphabet"
            )
        longest = max(len(line) for line in lines)
        writer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=writer,
            vocab_size=size,
            hard_vocab_limit=False,
            model_type="unigram",
            character_coverage=1.0,
            required_chars=characters,
            normalization_rule_name="identity",
            unk_id=_BLANK,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
            max_sentence_length=max(_USUAL_LONGEST_LINE, _BYTES_A_CHARACTER * longest + 1),
        )
        return Pieces(writer.getvalue(), alphabet)

    @cached_property
    def _processor(self) -> SentencePieceProcessor:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self.model)

    def __reduce__(self) -> tuple[Any, ...]:
        return Pieces, (self.model, self.alphabet)

    @property
    def size(self) -> int:
        return int(self._processor.get_piece_size())

    @property
    def blank(self) -> int:
        return _BLANK

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of `text`; UncoveredText as the alphabet raises it."""
        return list(self._processor.encode(self.alphabet.covered(text)))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of collapsed numbers without blanks; white space collapsed.

        Raises:
            ValueError: for the blank, or a number that is no piece's.
        """
        for index in ids:
            if not 1 <= index < self.size:
                raise ValueError(f"expected piece numbers within 1..{self.size - 1}; got {index}")
        return " ".join(self._processor.decode([int(index) for index in ids]).split())

    def symbol(self, index: int) -> str:
        """The piece with "_" before a word's first, "<b>" for the blank."""
        if index == _BLANK:
            return "<b>"
        return str(self._processor.id_to_piece(index)).replace(_WORD_MARK, "_")

    def to_state(self) -> dict[str, Any]:
        """Plain data for a checkpoint: kind, model, alphabet."""
        return {"kind": "pieces", "model": self.model, "alphabet": self.alphabet.to_state()}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Pieces:
        """The pieces that `to_state` described."""
        return Pieces(bytes(state["model"]), Alphabet.from_state(state["alphabet"]))
