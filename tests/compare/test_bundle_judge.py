"""CTC pipelines of torchaudio as judges."""

from __future__ import annotations

import pytest
import torch

from ctcasr.compare.bundle_judge import BundleJudge
from ctcasr.compare.judge import JudgeError


def test_weights_that_cannot_be_had_are_a_sentence() -> None:
    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "A")

        def get_model(self) -> torch.nn.Module:
            raise OSError("Name or service not known")

    with pytest.raises(JudgeError, match=r"bundle:TOY: its weights .*checkpoints by hand"):
        BundleJudge("bundle:TOY", Bundle())


def test_a_bundle_is_decoded_greedily() -> None:
    class Model(torch.nn.Module):
        def forward(self, sound: torch.Tensor) -> tuple[torch.Tensor, None]:
            path = torch.tensor([0, 1, 1, 0, 1, 2, 3, 0])
            return torch.nn.functional.one_hot(path, 4)[None].float(), None

    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "A", "|", "B")

        def get_model(self) -> torch.nn.Module:
            return Model()

    assert BundleJudge("bundle:TOY", Bundle()).listen([torch.zeros(800)], 8000) == ["aa b"]


def test_a_bundles_references_are_what_its_labels_can_write() -> None:
    class Bundle:
        sample_rate = 16000

        def get_labels(self) -> tuple[str, ...]:
            return ("-", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")

        def get_model(self) -> torch.nn.Module:
            return torch.nn.Identity()

    judge = BundleJudge("bundle:TOY", Bundle())
    assert judge.reference("It's room 42.").text == "it's room four two"
    assert judge.reference("Well.").taken_out == {".": 1}
