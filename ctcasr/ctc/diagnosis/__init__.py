"""Why a run does not learn: evidence from the lattice, causes, and the verdict on a story of records."""

from ctcasr.ctc.diagnosis.cause import Cause
from ctcasr.ctc.diagnosis.deaf import DeafModel, rolled
from ctcasr.ctc.diagnosis.outputs import output_figures
from ctcasr.ctc.diagnosis.story import first_release
from ctcasr.ctc.diagnosis.verdict import Verdict, verdict

__all__ = ["Cause", "DeafModel", "Verdict", "first_release", "output_figures", "rolled", "verdict"]
