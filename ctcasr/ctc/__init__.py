"""CTC: the loss, its report, alignment and decoding. Needs torch and numpy (and numba for the CPU kernel)."""

from ctcasr.ctc.align import forced_align
from ctcasr.ctc.beam import BeamSearch, Scorer, spelled
from ctcasr.ctc.decode import Decoded, greedy, penalised
from ctcasr.ctc.diagnosis import Cause, Verdict, verdict
from ctcasr.ctc.entropy import alignment_entropy
from ctcasr.ctc.loss import ctc_loss
from ctcasr.ctc.module import CTCLoss
from ctcasr.ctc.report import CtcReport, ctc_report

__all__ = [
    "BeamSearch",
    "CTCLoss",
    "Cause",
    "CtcReport",
    "Decoded",
    "Scorer",
    "Verdict",
    "alignment_entropy",
    "ctc_loss",
    "ctc_report",
    "forced_align",
    "greedy",
    "penalised",
    "spelled",
    "verdict",
]
