"""Does enhanced speech get understood better? Conditions, judges, intervals, and the words that follow from them."""

from ctcasr.compare.alignment import Aligned, align, observation_added
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError, load_judge
from ctcasr.compare.metrics import Split, measure, si_sdr, split
from ctcasr.compare.scene import Scene, read_scenes

__all__ = [
    "Aligned",
    "EnhancedFolder",
    "Judge",
    "JudgeError",
    "Scene",
    "Split",
    "align",
    "load_judge",
    "measure",
    "observation_added",
    "read_scenes",
    "si_sdr",
    "split",
]
