"""Classification: audio in, a label out."""

from ctcasr.classify.classifier import Classification, Classifier
from ctcasr.classify.evaluation import ClassEvaluation, evaluate_classes, read_round
from ctcasr.classify.task import Classify

__all__ = [
    "ClassEvaluation",
    "Classification",
    "Classifier",
    "Classify",
    "evaluate_classes",
    "read_round",
]
