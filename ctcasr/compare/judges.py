"""Recognisers that judge, by what the command line calls them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from ctcasr.compare.bundle_judge import BundleJudge
from ctcasr.compare.command_judge import PREFIX, CommandJudge
from ctcasr.compare.function_judge import FunctionJudge
from ctcasr.compare.judge import Judge, JudgeError
from ctcasr.compare.own_judge import OwnJudge
from ctcasr.compare.phone_judge import PREFIX as PHONES
from ctcasr.compare.phone_judge import PhoneJudge

Device = str | torch.device
OWN = (".pt", ".onnx")
_LABEL = re.compile(r"^([^=:/\\]*)=(.*)$", re.DOTALL)  # of a command, too, which may hold "="


def load_judge(name: str, device: Device = "cpu") -> Judge:
    """[NAME=] before a recogniser.

    That is the path of a checkpoint or of an ONNX file, several with commas between (an ensemble),
    `phones:LEXICON,CHECKPOINT`, `module:function`, `file.py:function`,
    `command:PROGRAM ARGUMENTS` or `bundle:X`. Checkpoints and bundles compute on the device.

    Raises:
        JudgeError: where there is none, or it may not judge.
    """
    label, target = _label(name)
    if target.startswith(PREFIX):
        return CommandJudge.load(target, label)
    if target.startswith(PHONES):
        return PhoneJudge.load(target, label, device)
    if target.startswith("bundle:"):
        bundle = BundleJudge(target, device=device)
        bundle.name = label or target
        return bundle
    if Path(target).is_file() or target.endswith(OWN):
        members = [Path(target)] if Path(target).is_file() else [*map(Path, target.split(","))]
        if len(members) > 1:
            return OwnJudge.together(members, label, device)
        return OwnJudge.load(target, label, device)
    if ":" in target:
        return FunctionJudge.load(target, label)
    raise JudgeError(
        "expected a checkpoint, module:function, command:PROGRAM or bundle:NAME as recogniser; "
        f"there is no file {target}"
    )


def load_judges(names: Sequence[str], device: Device = "cpu") -> list[Judge]:
    """All of them, each with a name of its own. JudgeError as above."""
    judges = [load_judge(name, device) for name in names]
    times_seen: Counter[str] = Counter()
    for judge in judges:
        times_seen[judge.name] += 1
        if times_seen[judge.name] > 1:
            judge.name = f"{judge.name} ({times_seen[judge.name]})"
    return judges


def _label(name: str) -> tuple[str, str]:
    """NAME and what stands behind it; "" for no name."""
    found = _LABEL.match(name)
    return (found[1], found[2]) if found else ("", name)
