"""How unequal the directions of a corpus's features are: what whitening takes away.

python tools/study/directions.py MANIFEST.jsonl [MANIFEST.jsonl ...] [--net default]

Log mel features less the mean of their utterance; the variance of each direction (eigenvalues of
the covariance), by the mean of all of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.front import build_extract
from ctcasr.front.normalise import Moments, centred_rows
from ctcasr.recognise.spec import read_spec
from ctcasr.text import Alphabet

SHOWN = (1, 2, 3, 5, 10, 20, 40, 60, 80)


def main() -> None:
    """A line for each manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifests", nargs="+")
    parser.add_argument("--net", default="default")
    arguments = parser.parse_args()
    front = read_spec(arguments.net).front
    extract = build_extract(front)
    shown = [number for number in SHOWN if number <= extract.bins]
    print("| corpus | " + " | ".join(f"{number}." for number in shown) + " |")
    print("| --- |" + " --- |" * len(shown))
    for manifest in arguments.manifests:
        utterances = read_manifest(manifest).utterances
        corpus = Corpus(utterances, Alphabet.english38(), front.rate_hz)
        moments = Moments(extract.bins)
        for batch in Loader(corpus, batch_size=16, order="sorted").epoch(0):
            if batch is not None:
                moments.add(centred_rows(extract(batch.audio)))
        variances = torch.linalg.eigvalsh(moments.covariance).flip(0)
        variances = variances / variances.mean()
        cells = " | ".join(f"{float(variances[number - 1]):.2g}" for number in shown)
        print(f"| {manifest} | {cells} |")


if __name__ == "__main__":
    main()
