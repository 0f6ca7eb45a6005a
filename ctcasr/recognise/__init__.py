"""Speech recognition: model, task and objective, and the recognisers that come of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Resolved on first use (PEP 562): who transcribes waits neither for the trainer's side of this room
# nor for scores.
_HOME = {
    "Ensemble": "ensemble",
    "Evaluation": "evaluation",
    "Hypothesis": "hypothesis",
    "LogitsSource": "protocols",
    "NotOffered": "protocols",
    "Objective": "objective",
    "OnnxRecogniser": "onnx",
    "Recognise": "task",
    "Recogniser": "recogniser",
    "SpeechModel": "model",
    "Stream": "stream",
    "Streamer": "protocols",
    "Transcriber": "protocols",
    "Word": "hypothesis",
    "build": "model",
    "evaluate": "evaluation",
    "examine": "evaluation",
    "read_spec": "spec",
}

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ctcasr.recognise' has no attribute {name!r}")
    return getattr(import_module(f"ctcasr.recognise.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
