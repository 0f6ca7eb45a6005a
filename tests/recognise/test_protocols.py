"""Who can transcribe, give logits, stream: the kinds say it by their type, and in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr import Ensemble, Recogniser
from ctcasr.checkpoint import CheckpointError
from ctcasr.recognise.onnx import OnnxRecogniser
from ctcasr.recognise.protocols import LogitsSource, NotOffered, Streamer, Transcriber
from tests.recognise.helpers import RATE, noise, recogniser


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Transcriber]:
    """One of each kind."""
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    from ctcasr.export import export_onnx_recogniser

    torch_kind = recogniser()
    file = export_onnx_recogniser(torch_kind, tmp_path_factory.mktemp("kinds") / "r.onnx")
    return {
        "recogniser": torch_kind,
        "onnx": OnnxRecogniser(file),
        "ensemble": Ensemble([torch_kind, recogniser(stride=1)]),
    }


@pytest.mark.parametrize(
    ("protocol", "able"),
    [
        (Transcriber, {"recogniser", "onnx", "ensemble"}),
        (LogitsSource, {"recogniser", "onnx"}),
        (Streamer, {"recogniser"}),
    ],
)
def test_the_table_of_the_module_is_true(
    protocol: type, able: set[str], kinds: dict[str, Transcriber]
) -> None:
    assert {name for name, kind in kinds.items() if isinstance(kind, protocol)} == able


@pytest.mark.parametrize("name", ["stream", "model", "logits"])
def test_an_ensemble_serves_none_of_its_members_in_silence(
    name: str, kinds: dict[str, Transcriber]
) -> None:
    with pytest.raises(NotOffered, match=rf"no \.{name}: ask one of its members"):
        getattr(kinds["ensemble"], name)
    assert not hasattr(kinds["ensemble"], name)


@pytest.mark.parametrize("name", ["stream", "model"])
def test_an_onnx_file_names_the_checkpoint_for_what_it_cannot(
    name: str, kinds: dict[str, Transcriber]
) -> None:
    with pytest.raises(NotOffered, match=rf"r\.onnx: expected a checkpoint \(\.pt\) for \.{name}"):
        getattr(kinds["onnx"], name)


def test_an_onnx_file_can_lead_an_ensemble(kinds: dict[str, Transcriber]) -> None:
    onnx, torch_kind = kinds["onnx"], kinds["recogniser"]
    assert isinstance(onnx, OnnxRecogniser) and isinstance(torch_kind, Recogniser)
    sounds = [noise(RATE, 3), noise(5000, 4)]
    first, second = Ensemble([onnx, torch_kind]), Ensemble([torch_kind, onnx])
    texts = [hypothesis.text for hypothesis in first.transcribe(sounds, RATE)]
    assert texts == [hypothesis.text for hypothesis in second.transcribe(sounds, RATE)]
    assert any(texts)


def test_an_ensemble_is_no_member(kinds: dict[str, Transcriber]) -> None:
    with pytest.raises(ValueError, match=r"member 1 of the ensemble: .* gives logits .* Ensemble"):
        Ensemble([kinds["recogniser"], kinds["ensemble"]])  # type: ignore[list-item]


def test_who_needs_the_network_is_told_that_an_onnx_file_has_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected a checkpoint \(\.pt\) here"):
        Recogniser.load_checkpoint(tmp_path / "r.onnx")
