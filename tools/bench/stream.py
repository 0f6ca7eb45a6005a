"""Stream every recording of a manifest in chunks, and tell: time, latency, error rate, and whether the whole gives the same.

python tools/bench/stream.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.run_cli import run_cli
from ctcasr.scoring.errors import ErrorRates


def main(argv: Sequence[str] | None = None) -> None:
    """One thread, and its processor time: what other work the machine has does not count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument(
        "--chunk-s", type=float, default=0.1, help="seconds of sound in a chunk (default 0.1)"
    )
    args = parser.parse_args(argv)

    torch.set_num_threads(1)
    recogniser = Recogniser.load_checkpoint(args.checkpoint)
    chunk = round(args.chunk_s * recogniser.rate_hz)
    if chunk < 1:
        raise ValueError(
            f"--chunk-s: expected at least one sample of {recogniser.rate_hz} Hz; got {args.chunk_s:g} s"
        )
    spent: list[float] = []
    tally, seconds, same = ErrorRates(), 0.0, 0
    utterances = [u for u in read_manifest(args.manifest).utterances if u.text is not None]
    for utterance in utterances:
        samples = read_audio(utterance, recogniser.rate_hz)
        text, times = _streamed(recogniser, samples, chunk)
        seconds, spent = seconds + samples.shape[0] / recogniser.rate_hz, spent + times
        tally += ErrorRates.of(recogniser.tokenizer.reference(utterance.text or "").text, text)
        same += text == recogniser.transcribe(samples, recogniser.rate_hz)[0].text
    if not spent:
        raise ValueError(f"{args.manifest}: expected utterances with a text; found none")
    print(
        f"{len(utterances)} recordings, {seconds:.0f} s, in chunks of {1000 * args.chunk_s:g} ms on one thread: "
        f"real-time factor {sum(spent) / seconds:.4f} (processor time); a chunk takes {1000 * float(np.median(spent)):.1f} ms (median), "
        f"{1000 * float(np.percentile(spent, 99)):.1f} ms (99 of 100)"
    )
    print(
        f"algorithmic latency {1000 * recogniser.stream().latency_s:.0f} ms; WER {100 * tally.words.rate:.2f} %, "
        f"CER {100 * tally.chars.rate:.2f} %; {same} of {len(utterances)} texts are those of the whole recording"
    )


def _streamed(recogniser: Recogniser, samples: Tensor, chunk: int) -> tuple[str, list[float]]:
    """The final text, and the processor seconds that each chunk took."""
    stream, times = recogniser.stream(), []
    for piece in samples.split(chunk):
        start = time.process_time()
        stream.feed(piece)
        times.append(time.process_time() - start)
    start = time.process_time()
    text = stream.finish().text
    return text, [*times, time.process_time() - start]


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
