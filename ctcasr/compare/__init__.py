"""Does enhanced speech get understood better? Conditions, judges, intervals, and the words that follow from them."""

from ctcasr.compare.align import Aligned, align, observation_added
from ctcasr.compare.bootstrap import Difference, Paired, against, holm
from ctcasr.compare.command import Options, score_enhanced
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.judge import Judge, JudgeError, load_judge
from ctcasr.compare.metrics import Split, measure, si_sdr, split
from ctcasr.compare.scene import Scene, read_scenes

__all__ = ["Aligned", "Difference", "EnhancedFolder", "Judge", "JudgeError", "Options", "Paired", "Scene", "Split", "against", "align",
           "holm", "load_judge", "measure", "observation_added", "read_scenes", "score_enhanced", "si_sdr", "split"]
