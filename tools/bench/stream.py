"""Stream every recording of a manifest in chunks, and tell time, latency and error rate.

python tools/bench/stream.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl

And whether the whole recording gives the same text.
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
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    chunk = round(arguments.chunk_s * recogniser.rate_hz)
    if chunk < 1:
        raise ValueError(
            f"--chunk-s: expected at least one sample of {recogniser.rate_hz} Hz; "
            f"got {arguments.chunk_s:g} s"
        )
    chunk_times_s: list[float] = []
    errors = ErrorRates()
    audio_s = 0.0
    recordings = 0
    same = 0
    for utterance in read_manifest(arguments.manifest).utterances:
        if utterance.text is None:
            continue
        samples = read_audio(utterance, recogniser.rate_hz)
        text, times_s = stream_text(recogniser, samples, chunk)
        whole_text = recogniser.transcribe(samples, recogniser.rate_hz)[0].text
        recordings += 1
        audio_s += samples.shape[0] / recogniser.rate_hz
        chunk_times_s += times_s
        errors += ErrorRates.of(recogniser.tokenizer.reference(utterance.text).text, text)
        same += text == whole_text
    if not recordings:
        raise ValueError(f"{arguments.manifest}: expected utterances with a text; found none")
    times_ms = 1000 * np.array(chunk_times_s)
    print(
        f"{recordings} recordings, {audio_s:.0f} s, in chunks of {1000 * arguments.chunk_s:g} ms "
        f"on one thread: real-time factor {sum(chunk_times_s) / audio_s:.4f} (processor time); "
        f"a chunk takes {np.median(times_ms):.1f} ms (median), "
        f"{np.percentile(times_ms, 99):.1f} ms (99 of 100)"
    )
    print(
        f"algorithmic latency {1000 * recogniser.stream().latency_s:.0f} ms; {errors}; "
        f"{same} of {recordings} texts are those of the whole recording"
    )


def stream_text(recogniser: Recogniser, samples: Tensor, chunk: int) -> tuple[str, list[float]]:
    """The final text of samples [N], and the processor seconds that each chunk took."""
    stream = recogniser.stream()
    times_s = []
    for piece in samples.split(chunk):
        started = time.process_time()
        stream.feed(piece)
        times_s.append(time.process_time() - started)
    started = time.process_time()
    text = stream.finish().text
    times_s.append(time.process_time() - started)
    return text, times_s


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
