"""`ctcasr tensorboard`: the records of a run as TensorBoard event files."""

from __future__ import annotations

import argparse

from ctcasr.show import write_events


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr tensorboard`."""
    parser.add_argument("run", metavar="RUN", help="a run directory")
    parser.add_argument(
        "--out", metavar="DIR", help="folder for the event files (default: RUN/tensorboard)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write them and say how they are looked at; ImportError without the package tensorboard."""
    print(f"tensorboard --logdir {write_events(arguments.run, arguments.out)}")
    return 0
