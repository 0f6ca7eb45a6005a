"""`ctcasr export`: arguments in, exit status out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctcasr.classifier import Classifier
from ctcasr.data import read_manifest
from ctcasr.export.classify import Exported, export_classifier


def export_command(args: argparse.Namespace) -> int:
    """Export, run, measure and tell; ValueError where there is nothing to run the files on."""
    own = _export(args, args.checkpoint, "classifier")
    print(own)
    if args.against:
        other = _export(args, args.against, "reference")
        print(other)
        for mine, theirs in zip(own.files, other.files, strict=True):
            spared = [1 - a / b for a, b in ((mine.artefact.size, theirs.artefact.size), (mine.artefact.zipped, theirs.artefact.zipped),
                                             (mine.network.median_ms, theirs.network.median_ms))]
            print("{}: {:.1f} % fewer bytes, {:.1f} % zipped, {:.1f} % less time than the reference".format(
                mine.artefact.precision, *(100 * share for share in spared)))
    return 0


def _export(args: argparse.Namespace, checkpoint: str, name: str) -> Exported:
    classifier = Classifier.load(checkpoint)
    test, calibrate = ([u for u in read_manifest(path).utterances if u.label in classifier.classes] if path else []
                       for path in (args.test, args.calibrate))
    if not test:
        raise ValueError(f"{args.test}: expected clips of the classes {', '.join(classifier.classes)}; found none")
    return export_classifier(classifier, args.to, Path(args.out), test, calibrate, name)
