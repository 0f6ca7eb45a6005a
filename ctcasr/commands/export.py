"""`ctcasr export`: a checkpoint for another runtime, run there and measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.data import read_manifest
from ctcasr.export.classify import Exported, export_classifier
from ctcasr.export.recognise import export_recogniser
from ctcasr.export.sherpa import export_for_sherpa
from ctcasr.recognise.recogniser import Recogniser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr export`."""
    parser.add_argument("checkpoint")
    parser.add_argument(
        "--to",
        required=True,
        choices=("onnx", "sherpa-onnx", "litert"),
        help="sherpa-onnx: recognisers only; litert: classifiers only",
    )
    parser.add_argument("--out", required=True, help="folder for the files and their report")
    parser.add_argument(
        "--test",
        metavar="MANIFEST",
        help="clips that every exported file is run on (a classifier needs them)",
    )
    parser.add_argument(
        "--calibrate",
        metavar="MANIFEST",
        help="clips that set the ranges of static quantisation (none: it is left out)",
    )
    parser.add_argument(
        "--against",
        metavar="CHECKPOINT",
        help="another classifier, exported and measured in the same run",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, run, measure and tell; ValueError where flags and checkpoint do not fit."""
    if checkpoint.load(arguments.checkpoint).get("kind") == Recogniser.KIND:
        _export_recogniser(arguments)
    else:
        _export_classifiers(arguments)
    return 0


def _export_recogniser(arguments: argparse.Namespace) -> None:
    if arguments.calibrate or arguments.against:
        raise ValueError(
            "--calibrate and --against are for classifiers; a recogniser's files are compared "
            "with torch itself"
        )
    clips = read_manifest(arguments.test).utterances if arguments.test else ()
    size = Path(arguments.checkpoint).stat().st_size
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    if arguments.to == "sherpa-onnx":
        print(export_for_sherpa(recogniser, Path(arguments.out), clips))
        return
    print(export_recogniser(recogniser, arguments.to, Path(arguments.out), clips, size=size))


def _export_classifiers(arguments: argparse.Namespace) -> None:
    if arguments.to == "sherpa-onnx":
        raise ValueError("expected a recogniser for --to sherpa-onnx; got a classifier")
    if not arguments.test:
        raise ValueError(
            "expected --test MANIFEST with clips that a classifier's exported files are run on"
        )
    classifier = Classifier.load(arguments.checkpoint)
    against = Classifier.load(arguments.against) if arguments.against else None
    if against is not None and set(against.classes) != set(classifier.classes):
        raise ValueError(
            f"--against {arguments.against}: expected a classifier of the same classes, "
            f"{', '.join(classifier.classes)}; got one of {', '.join(against.classes)}"
        )
    exported = _export_classifier(arguments, classifier, "classifier")
    print(exported)
    if against is not None:
        reference = _export_classifier(arguments, against, "reference")
        print(reference)
        print("\n".join(savings(exported, reference)))


def _export_classifier(
    arguments: argparse.Namespace, classifier: Classifier, name: str
) -> Exported:
    test_clips = _clips(arguments.test, classifier)
    calibration_clips = _clips(arguments.calibrate, classifier)
    if not test_clips:
        classes = ", ".join(classifier.classes)
        raise ValueError(f"{arguments.test}: expected clips of the classes {classes}; found none")
    out = Path(arguments.out)
    return export_classifier(classifier, arguments.to, out, test_clips, calibration_clips, name)


def _clips(manifest: str | None, classifier: Classifier) -> list[Utterance]:
    """The clips of a manifest that are of a classifier's classes; none without a manifest."""
    if manifest is None:
        return []
    utterances = read_manifest(manifest).utterances
    clips = [utterance for utterance in utterances if utterance.label in classifier.classes]
    if len(clips) < len(utterances):
        others = len(utterances) - len(clips)
        print(f"{manifest}: {others} of {len(utterances)} lines are of other classes, left aside")
    return clips


def savings(exported: Exported, reference: Exported) -> list[str]:
    """How much smaller and faster each file is than the reference's of the same precision."""
    lines = []
    for ours, theirs in zip(exported.files, reference.files, strict=True):
        size = _spared(ours.artefact.size, theirs.artefact.size)
        zipped = _spared(ours.artefact.zipped, theirs.artefact.zipped)
        network = _spared(ours.network.median_ms, theirs.network.median_ms)
        total = _spared(ours.total.median_ms, theirs.total.median_ms)
        lines.append(
            f"{ours.artefact.precision}: {size:.1f} % fewer bytes, {zipped:.1f} % zipped, "
            f"{network:.1f} % less time in the network, {total:.1f} % in all than the reference"
        )
    return lines


def _spared(ours: float, theirs: float) -> float:
    """Per cent."""
    return 100 * (1 - ours / theirs)
