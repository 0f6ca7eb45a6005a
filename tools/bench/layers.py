"""Time recurrent layers, forward and backward, against torch's.

    python tools/bench/layers.py --threads 2 --rounds 9 [--ragged 0.5] [--medium] [--forward]

`ours` is `RecurrentLayer` as it runs on a CPU, `padded` the same layer by torch's padded GRU, LSTM
or RNN (oneDNN's for the LSTM), `packed` torch's bidirectional layer over a packed sequence,
`medium` ours under torch.set_float32_matmul_precision("medium"). A ratio is a median of seconds by
that of ours, with its 95 % bootstrap interval over rounds. GFLOP/s count matrix products over real
frames only, so padding is not work; the first line is what one product of 1024 x 1024 matrices
reaches here.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.insert(0, str(Path(__file__).parent))
from _pairs import interleaved, ratio

from ctcasr.net import RecurrentLayer
from ctcasr.seq import Seq

SHAPES = ("16,75,128,128", "16,300,256,128", "32,150,512,256")
PEAK_SIZE = 1024
PEAK_RUNS = 9
GATES = {"gru": 3, "lstm": 4, "rnn": 1}
TORCHS: dict[str, type[nn.GRU] | type[nn.LSTM] | type[nn.RNN]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "rnn": nn.RNN,
}


@dataclass(frozen=True)
class Shape:
    """Of one layer's work: rows, frames, features, hidden units, directions."""

    batch: int
    frames: int
    features: int
    hidden: int
    directions: int = 2

    @staticmethod
    def parse(text: str, directions: int) -> Shape:
        """From B,T,F,H."""
        batch, frames, features, hidden = (int(number) for number in text.split(","))
        return Shape(batch, frames, features, hidden, directions)

    def lengths(self, ragged: float) -> tuple[int, ...]:
        """Of the rows: the last lacks the share `ragged` of the first."""
        rows = range(self.batch)
        shares = [1 - ragged * row / max(1, self.batch - 1) for row in rows]
        return tuple(round(self.frames * share) for share in shares)

    def flops(self, kind: str, frames: int, passes: int) -> float:
        """Of the matrix products over so many real frames."""
        units = GATES[kind] * self.hidden * (self.features + self.hidden)
        return 2.0 * passes * self.directions * units * frames


@dataclass(frozen=True)
class Timed:
    """One way to run a layer; `module` holds the parameters that get gradients."""

    run: Callable[[Tensor], Tensor]
    module: nn.Module
    data: Tensor
    forward: bool
    precision: str = "highest"

    def __call__(self) -> float:
        """Seconds of one forward pass, with gradients of everything unless `forward`."""
        for tensor in [self.data, *self.module.parameters()]:
            tensor.grad = None
        torch.set_float32_matmul_precision(self.precision)
        started = time.perf_counter()
        with torch.set_grad_enabled(not self.forward):
            output = self.run(self.data)
        if not self.forward:
            output.backward(torch.ones_like(output))
        seconds = time.perf_counter() - started
        torch.set_float32_matmul_precision("highest")
        return seconds


def ways(kind: str, shape: Shape, arguments: argparse.Namespace) -> dict[str, Timed]:
    """The ways to run a layer."""
    torch.manual_seed(0)
    lengths = shape.lengths(arguments.ragged)
    two_ways = shape.directions == 2
    layer = RecurrentLayer(kind, shape.features, shape.hidden, two_ways)
    torchs = TORCHS[kind](shape.features, shape.hidden, batch_first=True, bidirectional=two_ways)
    data = torch.randn(shape.batch, shape.frames, shape.features, requires_grad=True)
    seq = Seq(data, lengths, 100)  # type: ignore[arg-type]

    def compiled(data: Tensor) -> Tensor:
        return layer.compiled(seq.with_data(data)).data

    def padded(data: Tensor) -> Tensor:
        return layer.by_torch(seq.with_data(data)).data

    def packed(data: Tensor) -> Tensor:
        rows = pack_padded_sequence(data, torch.tensor(lengths), batch_first=True)
        output, _ = torchs(rows)
        return pad_packed_sequence(output, batch_first=True, total_length=shape.frames)[0]

    forward = arguments.forward
    timed = {
        "ours": Timed(compiled, layer, data, forward),
        "padded": Timed(padded, layer, data, forward),
        "packed": Timed(packed, torchs, data, forward),
    }
    if arguments.medium:
        timed["medium"] = Timed(compiled, layer, data, forward, "medium")
    return timed


def peak() -> float:
    """GFLOP/s of a product of two square matrices."""
    matrix = torch.randn(PEAK_SIZE, PEAK_SIZE)
    seconds = []
    for _ in range(PEAK_RUNS):
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return 2 * PEAK_SIZE**3 / statistics.median(seconds) / 1e9


def main() -> None:
    """Print a table of every kind and shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=list(GATES), choices=list(GATES))
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="B,T,F,H")
    parser.add_argument("--one-way", action="store_true", help="one direction instead of both")
    parser.add_argument(
        "--ragged", type=float, default=0.0, help="share of the longest row that the shortest lacks"
    )
    parser.add_argument("--forward", action="store_true", help="without gradients")
    parser.add_argument(
        "--medium", action="store_true", help="ours with large products in bfloat16, too"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"torch {torch.__version__}, {arguments.threads} threads, {arguments.rounds} rounds; "
        f"a large product: {peak():.0f} GFLOP/s\n"
    )
    print("| kind, (B, T, F, H) | way | ms | GFLOP/s | times ours |\n|---|---|---|---|---|")
    for kind in arguments.kinds:
        for text in arguments.shapes:
            for row in measure(kind, text, arguments):
                print(row, flush=True)


def measure(kind: str, text: str, arguments: argparse.Namespace) -> Iterator[str]:
    """The rows of one kind and shape."""
    shape = Shape.parse(text, 1 if arguments.one_way else 2)
    frames = sum(shape.lengths(arguments.ragged))
    flops = shape.flops(kind, frames, passes=1 if arguments.forward else 3)
    timed = ways(kind, shape, arguments)
    interleaved(timed, 1)  # compiles, allocates
    times = interleaved(timed, arguments.rounds)
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        against = "" if name == "ours" else str(ratio(seconds, times["ours"]))
        gflops = flops / middle / 1e9
        yield f"| {kind} ({text}) | {name} | {middle * 1e3:.1f} | {gflops:.0f} | {against} |"


if __name__ == "__main__":
    main()
