"""Text and the symbols that stand for it: normalisation, alphabets, sentence pieces, coverage."""

from ctcasr.text.alphabet import Alphabet
from ctcasr.text.coverage import Coverage, coverage
from ctcasr.text.fusion import Hotwords, Together, Words
from ctcasr.text.lexicon import Lexicon
from ctcasr.text.make import make_tokenizer
from ctcasr.text.ngram import ArpaError, NGram
from ctcasr.text.ngram_train import train_ngram
from ctcasr.text.normalisation import normalise, spell_digits
from ctcasr.text.pieces import Pieces
from ctcasr.text.tokenizer import Tokenizer, UncoveredText, tokenizer_from_state

__all__ = [
    "Alphabet",
    "ArpaError",
    "Coverage",
    "Hotwords",
    "Lexicon",
    "NGram",
    "Pieces",
    "Together",
    "Tokenizer",
    "UncoveredText",
    "Words",
    "coverage",
    "make_tokenizer",
    "normalise",
    "spell_digits",
    "tokenizer_from_state",
    "train_ngram",
]
