"""Does enhanced speech get understood better? Conditions, judges, intervals, and the words."""

from ctcasr.compare.alignment import Aligned, align, observation_added
from ctcasr.compare.comparison import Comparison, compare_systems
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.judges import load_judge
from ctcasr.compare.metrics import Metrics, Split, measure, si_sdr, split
from ctcasr.compare.scene import Scene, read_scenes
from ctcasr.compare.summary import Setting, Summary, summarise
from ctcasr.compare.trial import Design, Trial, hold_trial

__all__ = [
    "Aligned",
    "Comparison",
    "Design",
    "EnhancedFolder",
    "Judge",
    "JudgeError",
    "Metrics",
    "Scene",
    "Setting",
    "Split",
    "Summary",
    "Trial",
    "align",
    "compare_systems",
    "hold_trial",
    "load_judge",
    "measure",
    "observation_added",
    "read_scenes",
    "si_sdr",
    "split",
    "summarise",
]
