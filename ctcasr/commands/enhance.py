"""`ctcasr enhance`: a sound file or a folder of them, without the noise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ctcasr.batch import Skip
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.files import enhanced, named, plan_tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr enhance`."""
    parser.add_argument("checkpoint")
    parser.add_argument("source", metavar="IN", help="a sound file, or a folder of them")
    parser.add_argument("out", metavar="OUT", help="a sound file, or a folder")
    parser.add_argument(
        "--video",
        metavar="V",
        type=Path,
        help="video of the speaker, or a folder with videos of the same names",
    )
    parser.add_argument("--device", default="cpu")


def run(arguments: argparse.Namespace) -> int:
    """Enhance and count; 1 where some files could not be read."""
    plan = plan_tree(Path(arguments.source), Path(arguments.out), arguments.video)
    enhancer = Enhancer.load(arguments.checkpoint, arguments.device)
    written = 0
    unreadable = 0
    for outcome in enhanced(enhancer, plan):
        if isinstance(outcome, Skip):
            unreadable += 1
            print(f"ctcasr: {outcome.reason}", file=sys.stderr)
        else:
            written += 1
    ignored = ""
    if plan.ignored:
        ignored = f", {len(plan.ignored)} ignored (no sound: {named(plan.ignored)})"
    print(f"{written} files enhanced, {unreadable} could not be read{ignored}: {arguments.out}")
    return 1 if unreadable else 0
