"""The `ctcasr` command: finds the command that is asked for, loads that one alone, and runs it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from ctcasr.kernels.governor import settle_waiting
from ctcasr.kernels.installed import installed_version
from ctcasr.run_cli import run_cli

# Each command is the module of its name in ctcasr/commands, with add_arguments(parser) and
# run(arguments) -> exit status.
COMMANDS = {
    "prepare": "a corpus to manifests: grid, librispeech, csv, scenes, pack, segment and others",
    "doctor": "what is wrong with a corpus before training, and a page about a run after it",
    "audit": "which transcripts are wrong, and in what way",
    "train": "run a recipe",
    "runs": "a page that compares all runs below a folder",
    "transcribe": "write what is said in sound files",
    "evaluate": "error rates (or accuracy) of a checkpoint on a manifest",
    "enhance": "take the noise out of a sound file, or of every one in a folder",
    "compare": "which of several systems is better? on result files of any scorer",
    "score-enhanced": "is enhanced speech understood better? on anybody's files",
    "card": "the system card: size, multiply-adds, latency, memory, training",
    "export": "a recogniser or a classifier for another runtime, run there and measured",
    "tensorboard": "write the records of a run as TensorBoard event files",
}
HAND_ON = ("train", "prepare")  # what stands behind their NAME is for the recipe or the corpus


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    What a user can mend is told in a sentence, not in a traceback. SystemExit for --help,
    --version and flags that do not exist, as argparse does.
    """
    if argv is None:  # a process of our own, which has not loaded torch yet
        settle_waiting()
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = words[0] if words and words[0] in COMMANDS else None
    return run_cli(lambda: _run(chosen, words))


def load_command(name: str) -> ModuleType:
    """The module of a command in COMMANDS."""
    return importlib.import_module("ctcasr.commands." + name.replace("-", "_"))


def _run(chosen: str | None, words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="ctcasr",
        description="Train CTC speech recognisers and understand what the training does.",
    )
    version = f"ctcasr {installed_version()}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in [chosen] if chosen else COMMANDS:
        command = commands.add_parser(name, help=COMMANDS[name])
        if chosen:
            load_command(name).add_arguments(command)
    if chosen in HAND_ON:
        arguments = parser.parse_args(words[:2])
        arguments.flags = words[2:]
    elif words.count("--") > 1:  # argparse would make lists of some arguments
        parser.error("expected -- at most once")
    else:
        arguments = parser.parse_args(words)
    status: int = load_command(arguments.command).run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
