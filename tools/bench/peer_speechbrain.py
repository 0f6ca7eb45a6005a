"""Train the network of tools/bench/train.py by SpeechBrain's Brain loop.

Once for each line on standard input; prints seconds as JSON.

    python -m venv PEER && PEER/bin/pip install torch==2.12.* torchaudio==2.11.* speechbrain
    python tools/bench/train.py --train TRAIN.jsonl --against speechbrain \\
        --peer-python PEER/bin/python

Runs in an environment of its own and imports nothing of this project. torch's default wheel for
Linux brings CUDA; where that is too much, install torch and torchaudio from the CPU wheels that
pytorch.org offers first. What is trained is what a SpeechBrain user would write: its Fbank and
InputNormalization, its Conv2d, RNN, BatchNorm and Linear, its CTC loss, its datasets and loader
over the same files in the same batches, torch's AdamW, gradients clipped by its loop. Its RNN is
called without lengths, as in its CRDNN: that reads the padding too, but is faster on a CPU than
packed sequences. No checkpointer and no progress bar.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any

import speechbrain as sb
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.nnet.activations import Softmax
from speechbrain.nnet.CNN import Conv2d
from speechbrain.nnet.linear import Linear
from speechbrain.nnet.losses import ctc_loss
from speechbrain.nnet.normalization import BatchNorm1d, BatchNorm2d
from speechbrain.nnet.RNN import GRU, LSTM, RNN
from speechbrain.processing.features import InputNormalization

KINDS = {"gru": GRU, "lstm": LSTM, "rnn": RNN}


def network(task: dict[str, Any]) -> torch.nn.Module:
    """Features [B, T, F] to log-probabilities [B, T', symbols]."""
    layers: list[torch.nn.Module] = []
    shape = [task["batch_size"], 300, task["bands"]]
    for conv in task["conv"]:
        # Kernels and strides are (frequency, time) in effect: it transposes [B, T, F, C] to
        # [B, C, F, T].
        layer = Conv2d(
            input_shape=tuple(shape),
            out_channels=conv["channels"],
            kernel_size=tuple(conv["kernel"][::-1]),
            stride=tuple(conv["stride"][::-1]),
            bias=False,
        )
        with torch.no_grad():
            shape = list(layer(torch.zeros(2, *shape[1:])).shape)
        layers += [layer, BatchNorm2d(input_size=conv["channels"]), torch.nn.ReLU()]
    if task["conv"]:
        layers.append(torch.nn.Flatten(2))
    size = math.prod(shape[2:])
    for _ in range(task["layers"]):
        layers += [
            BatchNorm1d(input_size=size),
            First(
                KINDS[task["rnn"]](
                    hidden_size=task["hidden"],
                    input_size=size,
                    num_layers=1,
                    bidirectional=task["bidirectional"],
                )
            ),
        ]
        size = task["hidden"] * (2 if task["bidirectional"] else 1)
        layers.append(torch.nn.Dropout(task["dropout"]))
    for width in [*task["fc"], task["symbols"]]:
        layers += [
            BatchNorm1d(input_size=size),
            Linear(n_neurons=width, input_size=size),
            torch.nn.ReLU(),
        ]
        size = width
    return torch.nn.Sequential(*layers[:-1], Softmax(apply_log=True))


class First(torch.nn.Module):
    """The outputs of an RNN without its last state."""

    def __init__(self, rnn: torch.nn.Module) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x)[0]


class Recognise(sb.Brain):
    """CTC over characters."""

    def compute_forward(self, batch: Any, stage: Any) -> Any:
        sound, lengths = batch.to(self.device).sig
        features = self.modules.norm(self.modules.fbank(sound), lengths)
        return self.modules.network(features), lengths

    def compute_objectives(self, predictions: Any, batch: Any, stage: Any) -> Any:
        scores, lengths = predictions
        tokens, token_lengths = batch.tokens
        return ctc_loss(
            scores, tokens, lengths, token_lengths, blank_index=0, reduction="batchmean"
        )


def dataset(task: dict[str, Any]) -> sb.dataio.dataset.DynamicItemDataset:
    """The utterances in the order in which they come, sixteen (or so) to a batch."""

    @sb.utils.data_pipeline.takes("file")
    @sb.utils.data_pipeline.provides("sig")
    def sound(file: Any) -> Any:
        return sb.dataio.dataio.read_audio(file)

    @sb.utils.data_pipeline.takes("labels")
    @sb.utils.data_pipeline.provides("tokens")
    def tokens(labels: Any) -> Any:
        return torch.LongTensor(labels)

    return sb.dataio.dataset.DynamicItemDataset(
        task["items"], [sound, tokens], ["id", "sig", "tokens"]
    )


def train(task: dict[str, Any], data: sb.dataio.dataset.DynamicItemDataset) -> float:
    """Seconds of the epochs of a run with a fresh network."""
    torch.manual_seed(0)
    fbank = Fbank(sample_rate=task["rate_hz"], n_fft=task["n_fft"], n_mels=task["bands"])
    modules = {
        "fbank": fbank,
        "norm": InputNormalization(norm_type="sentence"),
        "network": network(task),
    }
    brain = Recognise(
        modules,
        lambda p: torch.optim.AdamW(p, lr=task["lr"], weight_decay=task["weight_decay"]),
        run_opts={
            "device": task["device"],
            "max_grad_norm": task["clip"],
            "precision": "bf16" if task["peer_bf16"] else "fp32",
        },
    )
    begin = time.perf_counter()
    brain.fit(
        range(task["epochs"]),
        data,
        progressbar=False,
        train_loader_kwargs={
            "batch_size": task["batch_size"],
            "shuffle": False,
            "num_workers": task["workers"],
        },
    )
    if task["device"].startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    logging.disable(logging.WARNING)
    torch.set_num_threads(task["threads"])
    data = dataset(task)
    parameters = sum(p.numel() for p in network(task).parameters())
    print(
        json.dumps(
            {"parameters": parameters, "version": sb.__version__, "torch": torch.__version__}
        ),
        flush=True,
    )
    for _ in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            seconds = train(task, data)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
