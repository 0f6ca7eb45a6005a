"""`ctcasr doctor`: what is wrong with a corpus before training; a page about a run after it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from ctcasr.audit import Audit, Training, audit_by_training
from ctcasr.commands.audit import WRITTEN
from ctcasr.commands.out_folder import prepare_out
from ctcasr.commands.progress import progress_bar
from ctcasr.commands.text_flags import DIGITS, TEXT, add_text_flags
from ctcasr.data import read_manifest
from ctcasr.doctor.examination import Examination, examine
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec
from ctcasr.show.audit_page import write_audit_page
from ctcasr.show.audit_table import audit_table
from ctcasr.show.findings_table import table
from ctcasr.show.run_page import write_page
from ctcasr.show.terminal import TextConsole
from ctcasr.text import Tokenizer, make_tokenizer
from ctcasr.train import TrainConfig

NET = "default"
AUDIT_OUT = "audit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `ctcasr doctor`."""
    parser.add_argument(
        "manifest",
        nargs="?",
        help="manifest to examine before training; exit status 1 where it would hurt",
    )
    parser.add_argument("--run", metavar="DIR", help="write DIR/doctor.html about a run instead")
    parser.add_argument(
        "--against",
        metavar="VALID",
        help="the manifest that will be scored: what does it share with the first?",
    )
    assumed = parser.add_argument_group("how it will be trained")
    net = assumed.add_mutually_exclusive_group()
    net.add_argument(
        "--net",
        default=NET,
        metavar="SPEC",
        help=f"preset or .toml whose frames are counted (default: {NET})",
    )
    net.add_argument(
        "--checkpoint", metavar="C", help="a checkpoint, whose network and alphabet are taken"
    )
    add_text_flags(assumed)
    reading = parser.add_argument_group("how much is heard")
    how_much = reading.add_mutually_exclusive_group()
    how_much.add_argument(
        "--all-audio", action="store_true", help="decode every file (the default up to 20 hours)"
    )
    how_much.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="decode N files, and read only the headers of the others",
    )
    reading.add_argument(
        "--workers", type=int, metavar="N", help="files read at once (default: one per core)"
    )
    audit = parser.add_argument_group("transcripts")
    audit.add_argument(
        "--doubt",
        action="store_true",
        help="name words that were not said, where words come back often (commands, numbers); "
        "about a minute for half an hour of sound",
    )
    audit.add_argument(
        "--audit",
        metavar="TIME",
        help="judge the transcripts too, by networks that are trained for so long, as 15m",
    )
    audit.add_argument(
        "--audit-out", metavar="DIR", help=f"where that is written (default: {AUDIT_OUT})"
    )
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """1 where training would be hurt, else 0; ValueError or OSError for nothing to examine."""
    refuse_unusable(arguments)
    if arguments.run is not None:
        print(write_page(Path(arguments.run)))
        return 0
    examination = examine_corpus(arguments)
    if not arguments.json:
        TextConsole(highlight=False).print(table(examination))
    findings = examination.as_json()
    hurts = examination.hurts
    try:
        if arguments.audit is not None:
            audit = audit_transcripts(arguments)
            findings["audit"] = audit.summary()
            hurts = hurts or audit.hurts
    finally:  # what was found by then is told, whatever stops the audit
        if arguments.json:
            print(json.dumps(findings, ensure_ascii=False, allow_nan=False, indent=1))
    return 1 if hurts else 0


def refuse_unusable(arguments: argparse.Namespace) -> None:
    """What flags cannot mean is told before anything is read.

    Raises:
        ValueError: for neither a manifest nor a run, or both; for numbers out of their range; for
            what `refuse_audit` refuses.
        OSError: where an audit cannot be written.
    """
    if arguments.manifest is None and arguments.run is None:
        raise ValueError("expected a manifest to examine, or --run DIR; got neither")
    if arguments.manifest is not None and arguments.run is not None:
        raise ValueError("expected a manifest to examine, or --run DIR; got both")
    if arguments.run is not None:
        refuse_beside_run(arguments)
    if arguments.checkpoint and (arguments.text, arguments.digits) != (TEXT, DIGITS):
        raise ValueError("--text and --digits are those of the checkpoint; got --checkpoint, too")
    if arguments.audit_out is not None and arguments.audit is None:
        raise ValueError("--audit-out is where --audit TIME writes; got no --audit")
    for name, least in (("sample", 0), ("workers", 1)):
        number = getattr(arguments, name)
        if number is not None and number < least:
            raise ValueError(f"--{name}: expected {least} or more; got {number}")
    if arguments.audit is not None:
        refuse_audit(arguments)


def refuse_beside_run(arguments: argparse.Namespace) -> None:
    """ValueError for a flag about a manifest, beside --run: it would mean nothing there."""
    usual = {"net": NET, "text": TEXT, "digits": DIGITS}
    for name in sorted(vars(arguments).keys() - {"run", "manifest", "command"}):
        value = getattr(arguments, name)
        if value not in (None, False) and value != usual.get(name):
            flag = "--" + name.replace("_", "-")
            raise ValueError(f"{flag} is about a manifest, before training; got --run")


def refuse_audit(arguments: argparse.Namespace) -> None:
    """What cannot be audited is told before anything is read.

    Raises:
        ValueError: for a run or a checkpoint, a time that is none, or a manifest in its place.
        OSError: where nothing can be written.
    """
    if arguments.checkpoint:
        raise ValueError(
            "--audit trains networks of its own; by a checkpoint: "
            f"ctcasr audit {arguments.manifest} --checkpoint {arguments.checkpoint}"
        )
    if TrainConfig(budget=arguments.audit).budget_s is None:
        raise ValueError(f"--audit: expected a time, as 15m; got {arguments.audit!r}")
    prepare_out(Path(arguments.audit_out or AUDIT_OUT), WRITTEN, [arguments.manifest])


def audit_transcripts(arguments: argparse.Namespace) -> Audit:
    """The audit of the manifest, written and, unless JSON was asked for, printed."""
    audit = audit_by_training(
        arguments.manifest,
        Training(net=arguments.net, budget=arguments.audit),
        text=arguments.text,
        digits=arguments.digits,
    )
    out = Path(arguments.audit_out or AUDIT_OUT)
    audit.write(out)
    page = write_audit_page(audit, out)
    if not arguments.json:
        TextConsole(highlight=False).print(audit_table(audit))
        print(page)
    return audit


def examine_corpus(arguments: argparse.Namespace) -> Examination:
    """What the flags ask for, with a bar on a terminal."""
    model, tokenizer = network_of(arguments)
    sample = sys.maxsize if arguments.all_audio else arguments.sample
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # files are the unit of parallel work
    try:
        with progress_bar("reading") as progress:
            return examine(
                arguments.manifest,
                model,
                tokenizer,
                against=arguments.against,
                workers=arguments.workers,
                sample=sample,
                doubt=arguments.doubt,
                progress=progress,
            )
    finally:
        torch.set_num_threads(threads)


def network_of(arguments: argparse.Namespace) -> tuple[SpeechModel, Tokenizer]:
    """The network whose frames are counted and the alphabet that texts are written in."""
    if arguments.checkpoint:
        recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
        return recogniser.model, recogniser.tokenizer
    texts: list[str] = []
    if arguments.text.startswith(("pieces:", "words:")):
        manifest = read_manifest(arguments.manifest, strict=False)
        texts = [utterance.text or "" for utterance in manifest]
    tokenizer = make_tokenizer(arguments.text, texts, digits=arguments.digits)
    return build(read_spec(arguments.net), tokenizer.size), tokenizer
