"""A small pruned network, and its files in both runtimes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ctcasr.export import Artefact
from ctcasr.export.classify import FORMATS
from ctcasr.net import ConvClassifier, Pruner, Schedule

NEEDS = {"onnx": "onnxruntime", "litert": "litert_torch"}


def network() -> nn.Module:
    torch.manual_seed(0)
    body = ConvClassifier([(16, (3, 3), (2, 2)), (16, (3, 3), (1, 1)), (32, (3, 3), (1, 1))], 4)
    for _ in range(3):
        body.train()(torch.randn(8, 1, 20, 30))  # BatchNorm with statistics of its own
    Pruner(body, Schedule(0.85, 0.85, 0.0, 1.0)).after_step(1, 1)
    return nn.Sequential(body, nn.Softmax(1)).eval()


@pytest.fixture(scope="module", params=["onnx", "litert"])
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Artefact]:
    pytest.importorskip(NEEDS[request.param], reason=f"needs the extra {request.param}")
    seen = [
        np.random.default_rng(n).standard_normal((1, 1, 20, 30)).astype(np.float32)
        for n in range(20)
    ]
    return FORMATS[request.param](
        network(), torch.zeros(1, 1, 20, 30), seen, tmp_path_factory.mktemp(request.param), "net"
    )
