"""`ctcasr evaluate`: error rates of a recogniser, or accuracy of a classifier, on a manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctcasr import checkpoint
from ctcasr.classify import Classifier, evaluate_classes
from ctcasr.commands.decoder_flags import (
    add_decoder_flags,
    decoder_from,
    recogniser_from,
    refuse_decoder_flags,
)
from ctcasr.commands.device_flag import add_device_flag, device_from
from ctcasr.commands.out_folder import SCORES, prepare_out
from ctcasr.data import read_manifest
from ctcasr.recognise import Evaluation, evaluate

WRITTEN = (SCORES, "hypotheses.jsonl", "alignments.txt", "predictions.jsonl")
MOST_CONFUSIONS = 5  # that are printed; scores.json has more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr evaluate`."""
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument(
        "--out", required=True, help="folder for scores.json and what was found, line by line"
    )
    add_device_flag(parser)
    add_decoder_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score, write, print.

    ValueError or OSError where something cannot be read, or where nothing was left to score.
    """
    prepare_out(Path(arguments.out), WRITTEN, [arguments.manifest], "evaluate")
    manifest = read_manifest(arguments.manifest)
    if is_classifier(arguments.checkpoint):
        refuse_decoder_flags(arguments, "a classifier")
        classifier = Classifier.load(arguments.checkpoint, device_from(arguments))
        classes = evaluate_classes(classifier, manifest.utterances)
        classes.write(Path(arguments.out))
        classes.refuse_nothing()
        print(classes)
        print(f"details: {Path(arguments.out) / 'scores.json'}")
        return 0
    recogniser = recogniser_from(arguments)
    decoder = decoder_from(arguments, recogniser.tokenizer)
    evaluation = evaluate(recogniser, manifest.utterances, decoder=decoder)
    evaluation.write(Path(arguments.out))
    evaluation.refuse_nothing()
    print("\n".join(summary(evaluation)))
    print(f"details: {Path(arguments.out) / 'scores.json'}")
    return 0


def is_classifier(path: str) -> bool:
    """Whether a checkpoint is that of a classifier; an ONNX file is a recogniser's."""
    if path.lower().endswith(".onnx"):
        return False
    return checkpoint.load(path).get("kind") == Classifier.KIND


def summary(evaluation: Evaluation) -> list[str]:
    """The rates in a line, and the most frequent confusions."""
    lines = [str(evaluation)]
    if evaluation.taken_out:
        lines.append(f"references: {evaluation.taken_out}")
    confusions = evaluation.tally.words.confusions
    for (reference, hypothesis), count in confusions.most_common(MOST_CONFUSIONS):
        lines.append(f"  {count:4d} x  {reference or '-'} -> {hypothesis or '-'}")
    return lines
