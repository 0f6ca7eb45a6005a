"""`ctcasr doctor`: arguments in, exit status out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ctcasr.doctor.examination import Examination, examine
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec
from ctcasr.show.findings_table import table
from ctcasr.show.run_page import write_page
from ctcasr.text import Tokenizer, make_tokenizer


def run(args: argparse.Namespace) -> int:
    """1 where training would be hurt, else 0; ValueError or OSError where there is nothing to examine."""
    if (args.manifest is None) == (args.run is None):
        raise ValueError(
            "expected a manifest to examine, or --run DIR; got "
            + ("neither" if args.run is None else "both")
        )
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
    torch.set_num_threads(1)  # files are the unit of parallel work
    try:
        with Progress(
            *columns, console=errors, transient=True, disable=not sys.stderr.isatty()
        ) as bar:
            task = bar.add_task("")
            return examine(
                args.manifest,
                model,
                tokenizer,
                against=args.against,
                workers=args.workers,
                sample=sys.maxsize if args.all_audio else args.sample,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
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
