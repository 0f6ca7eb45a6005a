"""Synthetic speech to try everything with: short sentences and digits, said by eSpeak NG.

ctcasr prepare spoken --out tiny                 (writes tiny/train.jsonl and tiny/test.jsonl)

The test part has other voices and other sentences. tiny/recordings.csv has the training part once
more, as a table such as one has of recordings of one's own: for `ctcasr prepare csv`. It needs the
extra synth.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.corpora import _prepare
from ctcasr.data import read_manifest
from ctcasr.data.synth import SynthSettings, synthesise_corpus

TRAIN = 400  # utterances: what a minute's training can use
TEST = 40
MOST = 10**6  # of either: more speech is for recipes/pretrain.py, which writes no files
TABLE = "recordings.csv"


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare spoken`; ValueError, OSError or ImportError where that fails."""
    parser = _prepare.command_parser("spoken", __doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that is made")
    count = _prepare.within(int, 1, MOST)
    parser.add_argument(
        "--train", type=count, default=TRAIN, help=f"utterances to learn from (default {TRAIN})"
    )
    parser.add_argument(
        "--test", type=count, default=TEST, help=f"utterances to score on (default {TEST})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default 0)")
    arguments = parser.parse_args(argv)
    _prepare.expect_folder(arguments.out)
    settings = replace(
        SynthSettings(), train=arguments.train, test=arguments.test, seed=arguments.seed
    )
    manifests = synthesise_corpus(arguments.out, settings)
    write_table(manifests[0], arguments.out / TABLE)
    for manifest in manifests:
        utterances = read_manifest(manifest).utterances
        minutes = sum(utterance.duration or 0.0 for utterance in utterances) / 60
        print(f"{manifest}: {len(utterances)} utterances, {minutes:.1f} minutes")
    return 0


def write_table(manifest: Path, table: Path) -> None:
    """The lines of a manifest as a table of paths, texts and speakers, in the manifest's folder."""
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "text", "speaker"])
        for utterance in read_manifest(manifest):
            path = utterance.audio_filepath.relative_to(manifest.parent)
            writer.writerow([path.as_posix(), utterance.text, utterance.speaker])
