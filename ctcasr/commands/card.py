"""`ctcasr card`: the system card of a checkpoint or a preset."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch

from ctcasr.card.card import Options, make_card
from ctcasr.card.render import markdown
from ctcasr.card.rulesets import RULESETS
from ctcasr.card.subject import find_subject
from ctcasr.commands.device_flag import add_device_flag, device_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr card`."""
    parser.add_argument("subject", metavar="CHECKPOINT|PRESET")
    parser.add_argument("--json", action="store_true", help="plain data instead of Markdown")
    parser.add_argument(
        "--as",
        dest="rules",
        choices=tuple(RULESETS),
        default="own",
        help="count multiply-adds as another tool does",
    )
    measured = parser.add_argument_group("what is measured")
    measured.add_argument(
        "--clip-s", type=float, default=3.0, help="seconds of the clip (default: 3)"
    )
    measured.add_argument("--samples", type=int, help="samples of the clip, instead of seconds")
    measured.add_argument("--frames", type=int, help="frames of video (default: 25 a second)")
    measured.add_argument(
        "--runs", type=int, default=20, help="timed runs (default: 20, at most 20 s)"
    )
    measured.add_argument("--threads", type=int, default=1, help="threads on a CPU (default: 1)")
    add_device_flag(measured, default="cpu")
    told = parser.add_argument_group("what is told besides")
    told.add_argument(
        "--run", metavar="DIR", type=Path, help="run directory (default: that of the checkpoint)"
    )
    told.add_argument("--team", default="", help="who answers for it")
    told.add_argument("--contact", default="", help="and where")


def refuse_unusable(arguments: argparse.Namespace) -> None:
    """ValueError for numbers that no card can be made with, and a run that is not there."""
    usable = math.isfinite(arguments.clip_s) and arguments.clip_s > 0
    if not usable or arguments.runs < 1 or arguments.threads < 1:
        raise ValueError("expected --clip-s above 0, --runs and --threads of at least 1")
    if arguments.run is not None and not arguments.run.is_dir():
        raise ValueError(f"--run: expected the folder of a training; got {arguments.run}")


def run(arguments: argparse.Namespace) -> int:
    """Print the card; ValueError where there is nothing to describe."""
    refuse_unusable(arguments)
    options = Options(
        clip_s=arguments.clip_s,
        samples=arguments.samples,
        frames=arguments.frames,
        rules=RULESETS[arguments.rules],
        runs=arguments.runs,
        run=arguments.run,
        team=arguments.team,
        contact=arguments.contact,
        command=["ctcasr", *sys.argv[1:]],
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(arguments.threads)
    try:
        subject = find_subject(arguments.subject)
        subject.model.to(device_from(arguments))
        card = make_card(subject, options)
    finally:
        torch.set_num_threads(threads)
    if arguments.json:
        print(json.dumps(card, indent=1, ensure_ascii=False))
    else:
        print(markdown(card), end="")
    return 0
