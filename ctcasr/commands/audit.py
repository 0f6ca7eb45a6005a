"""`ctcasr audit`: which transcripts of a manifest are wrong, and in what way."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ctcasr.audit import Audit, Training, audit_by_checkpoint, audit_by_training
from ctcasr.audit.result import AUDIT, CLEAN, FIXED
from ctcasr.commands.out_folder import prepare_out
from ctcasr.commands.progress import progress_bar
from ctcasr.commands.text_flags import add_text_flags
from ctcasr.records import EpochRecord, Record
from ctcasr.show.audit_page import NAME, write_audit_page
from ctcasr.show.audit_table import audit_table
from ctcasr.show.terminal import TextConsole
from ctcasr.train import pick_device

WRITTEN = (AUDIT, CLEAN, FIXED, NAME)
# Flags of networks that are trained, with their defaults.
_OF_TRAINING = {
    "folds": 2,
    "rounds": 1,
    "net": "default",
    "believe": False,
    "splice": 0.0,
    "text": "english38",
    "digits": "keep",
    "seed": 0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr audit`."""
    parser.add_argument(
        "manifest", help="manifest to audit; exit status 1 where more than 1 %% is suspected"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for audit.jsonl, clean.jsonl, the page"
    )
    how = parser.add_mutually_exclusive_group()  # without any, two recognisers are trained
    how.add_argument(
        "--checkpoint", metavar="C", help="a recogniser that did not learn these lines"
    )
    how.add_argument(
        "--budget",
        default="",
        metavar="TIME",
        help="time to train, all folds and rounds together, as 15m",
    )
    how.add_argument("--epochs", type=int, help="epochs of each fold and round (default: 30)")
    parser.add_argument("--folds", type=int, default=2, help="parts of the manifest (default: 2)")
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="how often is learnt; from the second time on, the texts that were believed before: "
        "4, where a third of the lines or more may be swapped (default: 1)",
    )
    parser.add_argument(
        "--net", default="default", metavar="SPEC", help="preset or .toml that is trained"
    )
    parser.add_argument(
        "--believe",
        action="store_true",
        help="networks learn what is written, and judge alone (default: models of words, learnt "
        "first, say what is learnt, and judge beside them)",
    )
    parser.add_argument(
        "--splice",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of lines that give way to sentences of their speaker's words: for many "
        "speakers, 0.5 finds more wrong words (default: 0)",
    )
    add_text_flags(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument(
        "--fix", action="store_true", help="write fixed.jsonl too: suggestions in place of errors"
    )
    parser.add_argument("--json", action="store_true", help="the summary as JSON")


def run(arguments: argparse.Namespace) -> int:
    """1 where more lines are suspected than tolerated, else 0.

    ValueError or OSError for nothing to audit, TrainingError where it cannot be trained.
    """
    out = Path(arguments.out)
    prepare_out(out, WRITTEN, [arguments.manifest])
    audit = make_audit(arguments)
    paths = audit.write(out, fix=arguments.fix)
    paths.append(write_audit_page(audit, out))
    if arguments.json:
        print(json.dumps(audit.summary(), ensure_ascii=False, indent=1))
    else:
        TextConsole(highlight=False).print(audit_table(audit))
        print("\n".join(str(path) for path in paths))
    return 1 if audit.hurts else 0


def make_audit(arguments: argparse.Namespace) -> Audit:
    """What the flags ask for, with a bar on a terminal."""
    if arguments.seed < 0:
        raise ValueError(f"--seed: expected 0 or more; got {arguments.seed}")
    if arguments.checkpoint:
        for name, default in _OF_TRAINING.items():
            if getattr(arguments, name) != default:
                raise ValueError(f"--{name} is for networks that are trained; got --checkpoint")
        with progress_bar("judging") as progress:
            return audit_by_checkpoint(
                arguments.manifest,
                arguments.checkpoint,
                device=str(pick_device(arguments.device)),
                progress=progress,
            )
    epochs = Training().epochs
    if arguments.epochs is not None:
        epochs = arguments.epochs
    training = Training(
        net=arguments.net,
        doubt=not arguments.believe,
        splice=arguments.splice,
        folds=arguments.folds,
        rounds=arguments.rounds,
        epochs=epochs,
        budget=arguments.budget,
        seed=arguments.seed,
        device=arguments.device,
    )
    with progress_bar("judging") as progress:
        return audit_by_training(
            arguments.manifest,
            training,
            text=arguments.text,
            digits=arguments.digits,
            tell=tell_epoch,
            progress=progress,
        )


def tell_epoch(fold: str, record: Record) -> None:
    """A line on standard error behind each epoch of the training."""
    if isinstance(record, EpochRecord):
        loss = "" if record.train_loss is None else f", loss {record.train_loss:.2f}"
        print(f"{fold}: epoch {record.epoch} of {record.epochs}{loss}", file=sys.stderr)
