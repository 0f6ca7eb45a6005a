"""Text and the symbols that stand for it: normalisation, alphabets, sentence pieces, coverage."""

from ctcasr.text.alphabet import Alphabet
from ctcasr.text.coverage import Coverage, measure_coverage
from ctcasr.text.fusion import Hotwords, ScorerSum, Words
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
    "ScorerSum",
    "Tokenizer",
    "UncoveredText",
    "Words",
    "measure_coverage",
    "make_tokenizer",
    "normalise",
    "spell_digits",
    "tokenizer_from_state",
    "train_ngram",
]
