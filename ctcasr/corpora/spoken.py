"""Synthetic speech to try everything with: short sentences and digits, said by eSpeak NG.

ctcasr prepare spoken --out tiny                 (writes tiny/train.jsonl and tiny/test.jsonl)

The test part has other voices and other sentences. It needs the extra synth.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.corpora import _prepare
from ctcasr.data import read_manifest
from ctcasr.data.synth import SynthSettings, synthesise_corpus

TRAIN = 400  # utterances: what a minute's training can use
TEST = 40


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare spoken`; ValueError, OSError or ImportError where that fails."""
    parser = _prepare.command_parser("spoken", __doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that is made")
    parser.add_argument(
        "--train", type=_count, default=TRAIN, help=f"utterances to learn from (default {TRAIN})"
    )
    parser.add_argument(
        "--test", type=_count, default=TEST, help=f"utterances to score on (default {TEST})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default 0)")
    arguments = parser.parse_args(argv)
    settings = replace(
        SynthSettings(), train=arguments.train, test=arguments.test, seed=arguments.seed
    )
    for manifest in synthesise_corpus(arguments.out, settings):
        utterances = read_manifest(manifest).utterances
        minutes = sum(utterance.duration or 0.0 for utterance in utterances) / 60
        print(f"{manifest}: {len(utterances)} utterances, {minutes:.1f} minutes")
    return 0


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more; got {count}")
    return count
