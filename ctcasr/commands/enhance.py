"""`ctcasr enhance`: a sound file, a folder of them or a manifest, without the noise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ctcasr.batch import Skip
from ctcasr.commands.device_flag import add_device_flag, device_from
from ctcasr.data import is_manifest, read_manifest
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.files import Jobs, enhanced, named, plan_lines, plan_tree, told_unseen
from ctcasr.video.frames import LATE, MODES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr enhance`."""
    parser.add_argument("checkpoint")
    parser.add_argument(
        "source", metavar="IN", help="a sound file, a folder of them, or a manifest (JSON lines)"
    )
    parser.add_argument("out", metavar="OUT", help="a sound file, or a folder")
    parser.add_argument(
        "--video",
        metavar="V",
        type=Path,
        help="video of the speaker, or a folder with videos of the same names",
    )
    parser.add_argument(
        "--show",
        metavar="MODE",
        help=f"videos otherwise than in training: {', '.join(MODES)}, or {LATE}SECONDS",
    )
    add_device_flag(parser, default="cpu")


def run(arguments: argparse.Namespace) -> int:
    """Enhance and count; 1 where some files could not be read."""
    plan = plan_of(arguments)
    enhancer = Enhancer.load(arguments.checkpoint, device_from(arguments))
    refuse_to_show(enhancer, arguments)
    outcomes = []
    for outcome in enhanced(enhancer, plan, arguments.show):
        outcomes.append(outcome)
        if isinstance(outcome, Skip):
            print(f"ctcasr: {outcome.reason}", file=sys.stderr)
    unreadable = sum(isinstance(outcome, Skip) for outcome in outcomes)
    facts = [f"{len(outcomes) - unreadable} files enhanced", f"{unreadable} could not be read"]
    unseen = told_unseen(outcomes)
    if unseen:
        facts.append(unseen)
    if plan.ignored:
        facts.append(f"{len(plan.ignored)} ignored (no sound: {named(plan.ignored)})")
    print(f"{', '.join(facts)}: {arguments.out}")
    return 1 if unreadable else 0


def plan_of(arguments: argparse.Namespace) -> Jobs:
    """What is to be done, before anything is read or written.

    Raises:
        ValueError: where nothing can be done, or something would be written twice.
    """
    source = Path(arguments.source)
    out = Path(arguments.out)
    if not is_manifest(source):
        return plan_tree(source, out, arguments.video)
    if arguments.video is not None:
        raise ValueError("--video: expected none beside a manifest, whose lines name their videos")
    return plan_lines(read_manifest(source).utterances, out)


def refuse_to_show(enhancer: Enhancer, arguments: argparse.Namespace) -> None:
    """ValueError where videos shall be shown to a network that sees nothing."""
    if enhancer.model.sees:
        return
    for flag, value in (("--show", arguments.show), ("--video", arguments.video)):
        if value is not None:
            raise ValueError(f"{flag} {value}: expected a network that sees; this one only hears")
