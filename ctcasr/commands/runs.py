"""`ctcasr runs`: a page that compares all runs below a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctcasr.show.runs_page import write_runs_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr runs`."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="with run directories below it")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where; ValueError or OSError where there is no run."""
    print(write_runs_page(arguments.folder))
    return 0
