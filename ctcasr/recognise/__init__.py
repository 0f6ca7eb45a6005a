"""Speech recognition: model, task and objective, and the recognisers that come of them.

A spec becomes a network, a task trains and checks it, and a checkpoint transcribes: by torch, by
onnxruntime, several together, long recordings piece by piece, or while the sound is still coming.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctcasr.decoding.hypothesis import Hypothesis, Word
    from ctcasr.recognise.ensemble import Ensemble
    from ctcasr.recognise.evaluation import Evaluation, evaluate, examine
    from ctcasr.recognise.model import SpeechModel, build
    from ctcasr.recognise.objective import Objective, word_rarity
    from ctcasr.recognise.onnx import OnnxRecogniser
    from ctcasr.recognise.protocols import LogitsSource, NotOffered, Streamer, Transcriber
    from ctcasr.recognise.recogniser import Recogniser
    from ctcasr.recognise.spec import read_spec
    from ctcasr.recognise.stream import Stream
    from ctcasr.recognise.task import Recognise

# Resolved on first use (PEP 562): who transcribes waits neither for the trainer's side of this room
# nor for scores.
_HOME = {
    "Ensemble": "ctcasr.recognise.ensemble",
    "Evaluation": "ctcasr.recognise.evaluation",
    "Hypothesis": "ctcasr.decoding.hypothesis",
    "LogitsSource": "ctcasr.recognise.protocols",
    "NotOffered": "ctcasr.recognise.protocols",
    "Objective": "ctcasr.recognise.objective",
    "OnnxRecogniser": "ctcasr.recognise.onnx",
    "Recognise": "ctcasr.recognise.task",
    "Recogniser": "ctcasr.recognise.recogniser",
    "SpeechModel": "ctcasr.recognise.model",
    "Stream": "ctcasr.recognise.stream",
    "Streamer": "ctcasr.recognise.protocols",
    "Transcriber": "ctcasr.recognise.protocols",
    "Word": "ctcasr.decoding.hypothesis",
    "build": "ctcasr.recognise.model",
    "evaluate": "ctcasr.recognise.evaluation",
    "examine": "ctcasr.recognise.evaluation",
    "read_spec": "ctcasr.recognise.spec",
    "word_rarity": "ctcasr.recognise.objective",
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
    "word_rarity",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ctcasr.recognise' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
