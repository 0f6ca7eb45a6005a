"""`ctcasr doctor`: arguments in, exit status out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ctcasr.build import SpeechModel, build
from ctcasr.doctor.examine import Examination, examine
from ctcasr.doctor.page import write_page
from ctcasr.doctor.table import table
from ctcasr.recogniser import Recogniser
from ctcasr.spec import read_spec
from ctcasr.text import Tokenizer, make_tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ctcasr doctor`."""
    parser.add_argument("manifest", nargs="?", help="manifest to examine before training")
    parser.add_argument("--run", metavar="DIR", help="write DIR/doctor.html about a run instead")
    parser.add_argument("--against", metavar="VALID", help="manifest that is scored: what does it share with the first?")
    net = parser.add_mutually_exclusive_group()
    net.add_argument("--net", default="default", metavar="SPEC", help="preset or .toml whose frames are counted (default: default)")
    net.add_argument("--checkpoint", metavar="C", help="a checkpoint, whose network and alphabet are taken")
    parser.add_argument("--text", default="english38", help="english38, english29 or pieces:N (default: english38)")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--all-audio", action="store_true", help="decode every file (default up to 20 hours)")
    how_much.add_argument("--sample", type=int, metavar="N", help="decode N files, and read the headers of the others")
    parser.add_argument("--workers", type=int, metavar="N", help="files that are read at once (default: one per core)")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(args: argparse.Namespace) -> int:
    """1 where training would be hurt, else 0; ValueError or OSError where there is nothing to examine."""
    if (args.manifest is None) == (args.run is None):
        raise ValueError("expected a manifest to examine, or --run DIR; got " + ("neither" if args.run is None else "both"))
    if args.run is not None:
        print(write_page(Path(args.run)))
        return 0
    result = _examine(args)
    if args.json:
        print(json.dumps(result.as_json(), ensure_ascii=False, allow_nan=False, indent=1))
    else:
        Console(highlight=False).print(table(result))
    return 1 if result.hurts else 0


def _examine(args: argparse.Namespace) -> Examination:
    model, tokenizer = _network(args)
    errors = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)             # files are the unit of parallel work
    try:
        with Progress(*columns, console=errors, transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("")
            return examine(args.manifest, model, tokenizer, against=args.against, workers=args.workers,
                           sample=sys.maxsize if args.all_audio else args.sample,
                           progress=lambda done, total: bar.update(task, completed=done, total=total))
    finally:
        torch.set_num_threads(threads)


def _network(args: argparse.Namespace) -> tuple[SpeechModel, Tokenizer]:
    if args.checkpoint:
        recogniser = Recogniser.load(args.checkpoint)
        return recogniser.model, recogniser.tokenizer
    texts: list[str] = []
    if args.text.startswith("pieces:"):
        from ctcasr.data import read_manifest
        texts = [u.text or "" for u in read_manifest(args.manifest, strict=False)]
    tokenizer = make_tokenizer(args.text, texts)
    return build(read_spec(args.net), tokenizer.size), tokenizer
