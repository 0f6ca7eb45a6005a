"""What can be trained: the Task protocol and one file for each head."""

from ctcasr.tasks.classify import Classify
from ctcasr.tasks.enhance import Enhance
from ctcasr.tasks.evaluate import Evaluation, evaluate, examine
from ctcasr.tasks.evaluate_classes import ClassEvaluation, evaluate_classes, read_round
from ctcasr.tasks.listener import Listener
from ctcasr.tasks.objective import Objective
from ctcasr.tasks.recognise import Recognise
from ctcasr.tasks.task import Loss, Score, Task

__all__ = [
    "ClassEvaluation",
    "Classify",
    "Enhance",
    "Evaluation",
    "Listener",
    "Loss",
    "Objective",
    "Recognise",
    "Score",
    "Task",
    "evaluate",
    "evaluate_classes",
    "examine",
    "read_round",
]
