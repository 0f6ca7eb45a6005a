"""`ctcasr card`: the system card of a checkpoint or a preset."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path

import torch

from ctcasr.card.card import Options, make_card
from ctcasr.card.render import markdown
from ctcasr.card.rulesets import RULESETS
from ctcasr.card.subject import Subject, find_subject
from ctcasr.commands.device_flag import add_device_flag, device_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr card`."""
    parser.add_argument(
        "subject",
        metavar="CHECKPOINT|PRESET",
        help="a preset may be a .toml file, and have changes behind it: 'default hidden=256'",
    )
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
        "--clip-s",
        type=float,
        metavar="S",
        help=f"seconds of the clip (default: {Options.clip_s:g})",
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
    seconds = arguments.clip_s
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"expected --clip-s above 0; got {seconds:g}")
    if seconds is not None and arguments.samples is not None:
        raise ValueError("expected --clip-s or --samples; got both, and each is the whole length")
    for name in ("samples", "frames", "runs", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"expected --{name} of at least 1; got {value}")
    cores = os.cpu_count() or arguments.threads
    if arguments.threads > cores:
        raise ValueError(
            f"expected --threads of at most {cores}, the cores of this machine; "
            f"got {arguments.threads}"
        )
    if arguments.run is not None and not arguments.run.is_dir():
        raise ValueError(f"--run: expected the folder of a training; got {arguments.run}")


def refuse_without_effect(arguments: argparse.Namespace, subject: Subject) -> None:
    """ValueError for flags that a network's card would not change with."""
    if arguments.frames is not None and not subject.sees_frames:
        raise ValueError(
            f"--frames: {subject.name} takes no frames beside sound; leave it away (the length of "
            "the clip is --clip-s or --samples)"
        )
    if arguments.clip_s is not None and subject.clip_s:
        raise ValueError(
            f"--clip-s: {subject.name} hears {subject.clip_s:g} s of each clip, and is measured on "
            "these; leave it away"
        )


def run(arguments: argparse.Namespace) -> int:
    """Print the card; ValueError where there is nothing to describe."""
    refuse_unusable(arguments)
    options = Options(
        clip_s=arguments.clip_s or Options.clip_s,
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
        refuse_without_effect(arguments, subject)
        subject.model.to(device_from(arguments))
        card = make_card(subject, options)
    finally:
        torch.set_num_threads(threads)
    if arguments.json:
        print(json.dumps(card, indent=1, ensure_ascii=False))
    else:
        print(markdown(card), end="")
    return 0
