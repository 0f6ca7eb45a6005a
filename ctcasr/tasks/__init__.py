"""What can be trained: the Task protocol and one file for each head."""

from ctcasr.tasks.evaluate import Evaluation, evaluate, examine
from ctcasr.tasks.recognise import Recognise
from ctcasr.tasks.task import Loss, Score, Task

__all__ = ["Evaluation", "Loss", "Recognise", "Score", "Task", "evaluate", "examine"]
