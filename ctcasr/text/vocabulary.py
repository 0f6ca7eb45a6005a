"""A language model's words in the form in which the alphabet writes them, or a clear refusal."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcasr.text.arpa import BEGIN, END, UNKNOWN, ArpaError, Gram, is_kenlm_binary
from ctcasr.text.ngram import NGram
from ctcasr.text.tokenizer import Tokenizer

_EXAMPLES = 3  # words that a message names
_MOST_UNWRITABLE = 0.5  # share of the vocabulary from which on it is another language's
_SPECIAL = frozenset((BEGIN, END, UNKNOWN))


class UnfitModel(ArpaError):
    """A language model whose words are not those that the alphabet writes."""


@dataclass(frozen=True)
class VocabularyFit:
    """How a model's words are written by an alphabet."""

    written: dict[str, str]  # by the word as the model spells it; itself where they agree
    unwritable: tuple[str, ...]  # words that no output can hold
    clashes: tuple[tuple[str, ...], ...]  # words that the model tells apart and the alphabet not

    @property
    def folded(self) -> int:
        """Words that the model spells otherwise than the alphabet."""
        return sum(word != written for word, written in self.written.items())


def compare_vocabulary(words: Iterable[str], tokenizer: Tokenizer) -> VocabularyFit:
    """How the words of a model are written by a tokenizer.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> fit = compare_vocabulary(["BLUE", "Ünder", "%"], Alphabet.english38())
        >>> fit.written, fit.unwritable
        ({'BLUE': 'blue', 'Ünder': 'under'}, ('%',))
    """
    written: dict[str, str] = {}
    unwritable: list[str] = []
    spellings: dict[str, list[str]] = defaultdict(list)
    for word in sorted(words):
        reference = tokenizer.reference(word)
        if reference.complete and len(reference.text.split()) == 1:
            written[word] = reference.text
            spellings[reference.text].append(word)
        else:
            unwritable.append(word)
    clashes = tuple(tuple(same) for same in spellings.values() if len(same) > 1)
    return VocabularyFit(written, tuple(unwritable), clashes)


def fit_vocabulary(model: NGram, tokenizer: Tokenizer, name: str = "language model") -> NGram:
    """The model with its words as the tokenizer writes them (one in capitals is folded).

    Warns of words that can never be written, and of a model without <unk>, in which an unknown
    word has the log10 probability -100 (and in decoding -10).

    Raises:
        UnfitModel: where the model tells words apart that are written alike, or most of its words
            cannot be written.

    Example:
        >>> from ctcasr.text import Alphabet, train_ngram
        >>> shouting = train_ngram([["LAY", "BLUE"]], order=2).model
        >>> sorted(fit_vocabulary(shouting, Alphabet.english38()).words)
        ['blue', 'lay']
    """
    total = len(model.words)
    fit = compare_vocabulary(model.words, tokenizer)
    unwritable = _examples([repr(word) for word in fit.unwritable])
    if fit.clashes:
        clashes = _examples([" and ".join(map(repr, same)) for same in fit.clashes])
        raise UnfitModel(
            f"{name}: expected each word once, as the alphabet writes it; the model tells apart "
            f"{clashes}; train it on texts of one form (tools/train_lm.py writes them so)"
        )
    if len(fit.unwritable) > _MOST_UNWRITABLE * total:
        raise UnfitModel(
            f"{name}: expected words that the alphabet can write; it cannot write "
            f"{len(fit.unwritable)} of {total}, as {unwritable}; is it of another language, or of "
            "pieces instead of words?"
        )
    if fit.unwritable:
        _warn(
            f"{name}: {len(fit.unwritable)} of {total} words can never be written by the "
            f"alphabet, as {unwritable}"
        )
    if not model.knows_unknown:
        _warn(
            f"{name}: has no <unk>: a word that it does not know has a log10 probability of -100, "
            "in decoding -10; train it with <unk>, as tools/train_lm.py does"
        )
    return _renamed(model, fit.written) if fit.folded else model


def refuse_unfit(path: Path | str, tokenizer: Tokenizer) -> None:
    """Nothing where a decoder that reads the file itself finds the words as they are written.

    A binary file of KenLM passes: only KenLM reads it.

    Raises:
        UnfitModel: as `fit_vocabulary` does, and where it would fold words.
        ArpaError: as `NGram.read` does.
    """
    if is_kenlm_binary(path):
        return
    model = NGram.read(path)
    if fit_vocabulary(model, tokenizer, str(path)) is not model:
        raise UnfitModel(
            f"{path}: expected words as the alphabet writes them, since this decoder takes the "
            "file as it is; write it anew: fit_vocabulary(NGram.read(path), tokenizer).write(path)"
        )


def _renamed(model: NGram, written: dict[str, str]) -> NGram:
    def rename(ngram: Gram) -> Gram:
        return tuple(written.get(word, word) for word in ngram)

    return NGram(model.order, {rename(ngram): values for ngram, values in model.grams.items()})


def _examples(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_EXAMPLES])
    more = len(names) - _EXAMPLES
    return f"{shown} and {more} more" if more > 0 else shown


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
