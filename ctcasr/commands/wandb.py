"""`ctcasr wandb`: the records of a run as an offline run of Weights & Biases."""

from __future__ import annotations

import argparse

from ctcasr.show import write_wandb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr wandb`."""
    parser.add_argument("run", metavar="RUN", help="a run directory")
    parser.add_argument("--project", default="ctcasr", help="its project (default: ctcasr)")
    parser.add_argument(
        "--out", metavar="DIR", help="folder in which wandb/ is made (default: RUN)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write it and say how it is sent; ImportError without the package wandb."""
    folder = write_wandb(arguments.run, arguments.project, arguments.out)
    print(f"nothing was sent; to send it: wandb sync {folder}")
    return 0
