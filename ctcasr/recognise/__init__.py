"""Speech recognition: model, task and objective, and the recognisers that come of them."""

from ctcasr.recognise.ensemble import Ensemble
from ctcasr.recognise.evaluation import Evaluation, evaluate, examine
from ctcasr.recognise.hypothesis import Hypothesis, Word
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.objective import Objective
from ctcasr.recognise.onnx import OnnxRecogniser
from ctcasr.recognise.protocols import LogitsSource, NotOffered, Streamer, Transcriber
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec
from ctcasr.recognise.stream import Stream
from ctcasr.recognise.task import Recognise

__all__ = [
    "Ensemble",
    "Evaluation",
    "Hypothesis",
    "LogitsSource",
    "NotOffered",
    "Objective",
    "OnnxRecogniser",
    "Recognise",
    "Recogniser",
    "SpeechModel",
    "Stream",
    "Streamer",
    "Transcriber",
    "Word",
    "build",
    "evaluate",
    "examine",
    "read_spec",
]
