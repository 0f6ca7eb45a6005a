"""Sentence pieces (Kudo and Richardson, EMNLP 2018) trained on the corpus, carried inside the checkpoint."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ctcasr.text.alphabet import Alphabet

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


@dataclass(frozen=True)
class Pieces:
    """A tokenizer of pieces over the characters of an alphabet; the blank takes the place of the unknown piece, 0."""

    model: bytes = field(repr=False)
    alphabet: Alphabet

    @staticmethod
    def train(texts: Iterable[str], size: int, alphabet: Alphabet | None = None) -> Pieces:
        """At most `size` symbols, the blank among them, trained on `texts`; every character of the alphabet is one."""
        import sentencepiece

        alphabet = alphabet or Alphabet.english38()
        characters = "".join(alphabet.symbols).replace(" ", "")
        least = len(characters) + 2  # the blank and the word mark
        if size < least:
            raise ValueError(
                f"pieces: expected size >= {least} (every character, word mark, blank); got {size}"
            )
        lines = [line for line in (alphabet.covered(text) for text in texts) if line]
        if not lines:
            raise ValueError(
                "pieces: expected texts to train on; got none with a character of the alphabet"
            )
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
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
            max_sentence_length=max(4192, *(4 * len(line) + 1 for line in lines)),
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
        return 0

    def normalise(self, text: str) -> str:
        """The form in which texts are encoded and compared: the alphabet's."""
        return self.alphabet.normalise(text)

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of `text`."""
        return list(self._processor.encode(self.alphabet.covered(text)))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of collapsed numbers without blanks; white space collapsed."""
        for index in ids:
            if not 1 <= index < self.size:
                raise ValueError(f"expected piece numbers within 1..{self.size - 1}; got {index}")
        return " ".join(self._processor.decode([int(index) for index in ids]).split())

    def uncovered(self, text: str) -> dict[str, int]:
        """Characters of the normalised text that are not in the alphabet, with counts."""
        return self.alphabet.uncovered(text)

    def symbol(self, index: int) -> str:
        """The piece with "_" before a word's first, "<b>" for the blank."""
        return (
            "<b>" if index == 0 else str(self._processor.id_to_piece(index)).replace("\u2581", "_")
        )

    def to_state(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"kind": "pieces", "model": self.model, "alphabet": self.alphabet.to_state()}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Pieces:
        """The pieces that `to_state` described."""
        return Pieces(bytes(state["model"]), Alphabet.from_state(state["alphabet"]))
