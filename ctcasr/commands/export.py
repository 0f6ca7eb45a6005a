"""`ctcasr export`: arguments in, exit status out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctcasr import checkpoint
from ctcasr.classify.classifier import Classifier
from ctcasr.data import read_manifest
from ctcasr.export.classify import Exported, export_classifier
from ctcasr.export.recognise import export_recogniser
from ctcasr.recognise.recogniser import Recogniser


def export_command(args: argparse.Namespace) -> int:
    """Export, run, measure and tell; ValueError where there is nothing to run a classifier's files on."""
    if checkpoint.load(args.checkpoint).get("kind") == Recogniser.KIND:
        if args.calibrate or args.against:
            raise ValueError(
                "--calibrate and --against are for classifiers; a recogniser's files are compared with torch itself"
            )
        test = read_manifest(args.test).utterances if args.test else ()
        size = Path(args.checkpoint).stat().st_size
        print(
            export_recogniser(
                Recogniser.load(args.checkpoint), args.to, Path(args.out), test, size=size
            )
        )
        return 0
    if not args.test:
        raise ValueError(
            "expected --test MANIFEST with clips that a classifier's exported files are run on"
        )
    own = _export(args, args.checkpoint, "classifier")
    print(own)
    if args.against:
        other = _export(args, args.against, "reference")
        print(other)
        for mine, theirs in zip(own.files, other.files, strict=True):
            spared = [
                1 - a / b
                for a, b in (
                    (mine.artefact.size, theirs.artefact.size),
                    (mine.artefact.zipped, theirs.artefact.zipped),
                    (mine.network.median_ms, theirs.network.median_ms),
                    (mine.total.median_ms, theirs.total.median_ms),
                )
            ]
            print(
                "{}: {:.1f} % fewer bytes, {:.1f} % zipped, {:.1f} % less time in the network, {:.1f} % in all than the reference".format(
                    mine.artefact.precision, *(100 * share for share in spared)
                )
            )
    return 0


def _export(args: argparse.Namespace, checkpoint: str, name: str) -> Exported:
    classifier = Classifier.load(checkpoint)
    test, calibrate = (
        [u for u in read_manifest(path).utterances if u.label in classifier.classes] if path else []
        for path in (args.test, args.calibrate)
    )
    if not test:
        raise ValueError(
            f"{args.test}: expected clips of the classes {', '.join(classifier.classes)}; found none"
        )
    return export_classifier(classifier, args.to, Path(args.out), test, calibrate, name)
