"""Train CTC speech recognisers, understand what the training does, score enhanced speech.

The question of the last: does a recogniser understand it better?
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctcasr.batch import Batch, Utterance
    from ctcasr.classify.classifier import Classification, Classifier
    from ctcasr.decoding.hypothesis import Hypothesis
    from ctcasr.recognise.ensemble import Ensemble
    from ctcasr.recognise.protocols import Transcriber
    from ctcasr.recognise.recogniser import Recogniser
    from ctcasr.seq import Framing, Seq
    from ctcasr.watching.session import watch

# Resolved on first use (PEP 562), so that `import ctcasr.ctc` loads neither torchaudio nor
# soundfile nor jiwer.
_HOME = {
    "Batch": "ctcasr.batch",
    "Utterance": "ctcasr.batch",
    "Framing": "ctcasr.seq",
    "Seq": "ctcasr.seq",
    "Classification": "ctcasr.classify.classifier",
    "Classifier": "ctcasr.classify.classifier",
    "Ensemble": "ctcasr.recognise.ensemble",
    "Hypothesis": "ctcasr.decoding.hypothesis",
    "Recogniser": "ctcasr.recognise.recogniser",
    "Transcriber": "ctcasr.recognise.protocols",
    "watch": "ctcasr.watching.session",
}

__all__ = [
    "Batch",
    "Classification",
    "Classifier",
    "Ensemble",
    "Framing",
    "Hypothesis",
    "Recogniser",
    "Seq",
    "Transcriber",
    "Utterance",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("ctcasr.kernels.installed").installed_version()
    if name not in _HOME:
        raise AttributeError(f"module 'ctcasr' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
