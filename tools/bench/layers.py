"""Time recurrent layers, forward and backward, against torch's: interleaved runs, ratios with intervals, GFLOP/s.

    python tools/bench/layers.py --threads 2 --rounds 9 [--ragged 0.5] [--medium] [--forward]

`ours` is `RecurrentLayer` as it runs on a CPU, `padded` the same layer by torch's padded GRU, LSTM or RNN (oneDNN's for the LSTM),
`packed` torch's bidirectional layer over a packed sequence, `medium` ours under torch.set_float32_matmul_precision("medium").
A ratio is a median of seconds by that of ours, with its 95 % bootstrap interval over rounds. GFLOP/s count matrix products over real
frames only, so padding is not work; the first line is what one product of 1024 x 1024 matrices reaches here.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.insert(0, str(Path(__file__).parent))
from _pairs import interleaved, ratio, spelt

from ctcasr.net import RecurrentLayer
from ctcasr.seq import Seq

GATES = {"gru": 3, "lstm": 4, "rnn": 1}
TORCHS: dict[str, type[nn.GRU] | type[nn.LSTM] | type[nn.RNN]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "rnn": nn.RNN,
}


def timed(
    run: Callable[[Tensor], Tensor],
    modules: list[nn.Module],
    data: Tensor,
    forward: bool,
    precision: str,
) -> Callable[[], float]:
    """Seconds of one forward pass, with gradients of everything unless `forward`."""

    def seconds() -> float:
        for tensor in [data, *(p for module in modules for p in module.parameters())]:
            tensor.grad = None
        torch.set_float32_matmul_precision(precision)
        begin = time.perf_counter()
        with torch.set_grad_enabled(not forward):
            out = run(data)
        if not forward:
            out.backward(torch.ones_like(out))
        spent = time.perf_counter() - begin
        torch.set_float32_matmul_precision("highest")
        return spent

    return seconds


def ways(
    kind: str, shape: tuple[int, int, int, int], both: bool, a: argparse.Namespace
) -> tuple[dict[str, Callable[[], float]], float]:
    """The ways to run a layer, and the floating point operations of its products."""
    batch, frames, features, hidden = shape
    torch.manual_seed(0)
    lengths = tuple(
        round(frames * (1 - a.ragged * row / max(1, batch - 1))) for row in range(batch)
    )
    layer, theirs = (
        RecurrentLayer(kind, features, hidden, both),
        TORCHS[kind](features, hidden, batch_first=True, bidirectional=both),
    )
    data = torch.randn(batch, frames, features, requires_grad=True)
    seq = Seq(data, lengths, 100)  # type: ignore[arg-type]

    def packed(data: Tensor) -> Tensor:
        rows = pack_padded_sequence(data, torch.tensor(lengths), batch_first=True)
        return pad_packed_sequence(theirs(rows)[0], batch_first=True, total_length=frames)[0]

    found = {
        "ours": timed(
            lambda x: layer.compiled(seq.with_data(x)).data, [layer], data, a.forward, "highest"
        ),
        "padded": timed(
            lambda x: layer.by_torch(seq.with_data(x)).data, [layer], data, a.forward, "highest"
        ),
        "packed": timed(packed, [theirs], data, a.forward, "highest"),
    }
    if a.medium:
        found["medium"] = timed(
            lambda x: layer.compiled(seq.with_data(x)).data, [layer], data, a.forward, "medium"
        )
    passes = 1 if a.forward else 3
    return found, 2.0 * passes * (1 + both) * GATES[kind] * hidden * (features + hidden) * sum(
        lengths
    )


def peak() -> float:
    """GFLOP/s of a product of two 1024 x 1024 matrices."""
    a, times = torch.randn(1024, 1024), []
    for _ in range(9):
        begin = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begin)
    return 2 * 1024**3 / statistics.median(times) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=list(GATES), choices=list(GATES))
    parser.add_argument(
        "--shapes",
        nargs="+",
        default=["16,75,128,128", "16,300,256,128", "32,150,512,256"],
        metavar="B,T,F,H",
    )
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
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    print(
        f"torch {torch.__version__}, {a.threads} threads, {a.rounds} rounds; a large product: {peak():.0f} GFLOP/s\n"
    )
    print("| kind, (B, T, F, H) | way | ms | GFLOP/s | times ours |\n|---|---|---|---|---|")
    for kind in a.kinds:
        for text in a.shapes:
            batch, frames, features, hidden = (int(n) for n in text.split(","))
            found, flops = ways(kind, (batch, frames, features, hidden), not a.one_way, a)
            interleaved(found, 1)  # compiles, allocates
            times = interleaved(found, a.rounds)
            for name, seconds in times.items():
                middle = statistics.median(seconds)
                against = "" if name == "ours" else spelt(ratio(seconds, times["ours"]))
                print(
                    f"| {kind} ({text}) | {name} | {middle * 1e3:.1f} | {flops / middle / 1e9:.0f} | {against} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
