"""Why a run does not learn: evidence from the lattice, causes, and the verdict on its records."""

from ctcasr.diagnose.cause import Cause
from ctcasr.diagnose.deaf import DeafModel, rolled
from ctcasr.diagnose.history import first_release
from ctcasr.diagnose.outputs import output_stats
from ctcasr.diagnose.verdicts import Verdict, verdict

__all__ = ["Cause", "DeafModel", "Verdict", "first_release", "output_stats", "rolled", "verdict"]
