"""Text and the symbols that stand for it: normalisation, alphabets, sentence pieces, coverage."""

from ctcasr.text.alphabet import Alphabet
from ctcasr.text.arpa import ArpaError
from ctcasr.text.coverage import Coverage, measure_coverage
from ctcasr.text.fusion import Hotwords, ScorerSum, Words
from ctcasr.text.grammar import Grammar, InGrammar, grammar_of, load_grammar
from ctcasr.text.lexicon import Lexicon
from ctcasr.text.make import make_tokenizer
from ctcasr.text.marks import find_marks
from ctcasr.text.ngram import NGram
from ctcasr.text.ngram_train import train_ngram
from ctcasr.text.normalisation import normalise, spell_digits
from ctcasr.text.pieces import Pieces
from ctcasr.text.reference import Reference, TakenOut, plain_words, references
from ctcasr.text.tokenizer import Tokenizer, UncoveredText, tokenizer_from_state
from ctcasr.text.vocabulary import UnfitModel, fit_vocabulary, refuse_unfit
from ctcasr.text.whole_words import WholeWords

__all__ = [
    "Alphabet",
    "ArpaError",
    "Coverage",
    "Grammar",
    "Hotwords",
    "InGrammar",
    "Lexicon",
    "NGram",
    "Pieces",
    "Reference",
    "ScorerSum",
    "TakenOut",
    "Tokenizer",
    "UncoveredText",
    "UnfitModel",
    "WholeWords",
    "Words",
    "find_marks",
    "fit_vocabulary",
    "grammar_of",
    "load_grammar",
    "make_tokenizer",
    "measure_coverage",
    "normalise",
    "plain_words",
    "references",
    "refuse_unfit",
    "spell_digits",
    "tokenizer_from_state",
    "train_ngram",
]
