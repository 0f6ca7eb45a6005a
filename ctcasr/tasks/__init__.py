"""What can be trained: the Task protocol and one file for each head."""

from ctcasr.tasks.classify import Classify
from ctcasr.tasks.evaluate import Evaluation, evaluate, examine
from ctcasr.tasks.evaluate_classes import ClassEvaluation, evaluate_classes
from ctcasr.tasks.objective import Objective
from ctcasr.tasks.recognise import Recognise
from ctcasr.tasks.task import Loss, Score, Task

__all__ = [
    "ClassEvaluation",
    "Classify",
    "Evaluation",
    "Loss",
    "Objective",
    "Recognise",
    "Score",
    "Task",
    "evaluate",
    "evaluate_classes",
    "examine",
]
