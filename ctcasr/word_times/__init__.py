"""When words are said, and how sure they are: forced alignment and calibrated confidences.

A hidden Markov model with Gaussian states, learnt beside the recogniser, aligns what was written
with its sound; a fitted curve makes probabilities of posteriors. Neither changes what is written.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctcasr.word_times.aligner import WordAligner
    from ctcasr.word_times.confidence import Calibration, calibration_error, fit_calibration
    from ctcasr.word_times.cuts import Cut, find_cuts
    from ctcasr.word_times.doubting import Believed, Doubts, believed_texts, learn_doubts
    from ctcasr.word_times.fit import fit_aligner, learn_aligner
    from ctcasr.word_times.spliced import SplicedCorpus, spliced_corpus, splicing_told
    from ctcasr.word_times.word_models import WordModels

# Resolved on first use (PEP 562): who transcribes does not wait for what only learning needs.
_HOME = {
    "Calibration": "confidence",
    "Cut": "cuts",
    "Believed": "doubting",
    "Doubts": "doubting",
    "SplicedCorpus": "spliced",
    "WordAligner": "aligner",
    "WordModels": "word_models",
    "believed_texts": "doubting",
    "calibration_error": "confidence",
    "fit_aligner": "fit",
    "fit_calibration": "confidence",
    "find_cuts": "cuts",
    "learn_aligner": "fit",
    "learn_doubts": "doubting",
    "spliced_corpus": "spliced",
    "splicing_told": "spliced",
}

__all__ = [
    "Believed",
    "Calibration",
    "Cut",
    "Doubts",
    "SplicedCorpus",
    "WordAligner",
    "WordModels",
    "believed_texts",
    "calibration_error",
    "find_cuts",
    "fit_aligner",
    "fit_calibration",
    "learn_aligner",
    "learn_doubts",
    "spliced_corpus",
    "splicing_told",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ctcasr.word_times' has no attribute {name!r}")
    return getattr(import_module(f"ctcasr.word_times.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
