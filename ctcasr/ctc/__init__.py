"""CTC: the loss, its report, alignment and decoding. Needs torch, numpy, numba for CPU kernels."""

from importlib import import_module
from typing import Any

from ctcasr.ctc.align import forced_align
from ctcasr.ctc.beam import BeamSearch, Scorer, spelled
from ctcasr.ctc.decode import Decoded, greedy, penalised
from ctcasr.ctc.entropy import alignment_entropy
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.linear import ctc_loss_linear, posterior_sums
from ctcasr.ctc.loss import ctc_loss
from ctcasr.ctc.module import CTCLoss
from ctcasr.ctc.report import CtcReport, ctc_report
from ctcasr.ctc.star import Star, star_scores, word_numbers
from ctcasr.ctc.star_report import StarReport
from ctcasr.ctc.star_schedule import StarSchedule, WordRarity

__all__ = [
    "BeamSearch",
    "CTCLoss",
    "CtcReport",
    "Decoded",
    "InputError",
    "Scorer",
    "Star",
    "StarReport",
    "StarSchedule",
    "WordRarity",
    "alignment_entropy",
    "ctc_loss",
    "ctc_loss_linear",
    "ctc_report",
    "forced_align",
    "greedy",
    "penalised",
    "posterior_sums",
    "spelled",
    "star_scores",
    "word_numbers",
]


def __getattr__(name: str) -> Any:
    # The verdict moved to a room above this one; its old names are resolved on first use, so that
    # the loss stays alone.
    if name in ("Cause", "Verdict", "verdict"):
        return getattr(import_module("ctcasr.diagnose"), name)
    raise AttributeError(f"module 'ctcasr.ctc' has no attribute {name!r}")
