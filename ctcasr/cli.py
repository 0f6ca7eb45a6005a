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
GROUPS = {
    "recordings": {
        "prepare": "a corpus to manifests: csv, spoken, grid, librispeech, others",
        "doctor": "what is wrong with a corpus; after a training, a page about it",
        "audit": "which transcripts are wrong, and in what way",
    },
    "training": {
        "train": "run a recipe",
        "runs": "a page that compares all runs below a folder",
        "tensorboard": "write the records of a run as TensorBoard event files",
        "wandb": "the same as an offline run of Weights & Biases",
    },
    "what was trained": {
        "transcribe": "what is said in sound files: text, subtitles, times of words",
        "evaluate": "error rates (or accuracy) of a checkpoint on a manifest",
        "enhance": "take the noise out of sound files",
        "offset": "are the pictures of a clip in time with its sound?",
        "export": "for other runtimes: onnx, sherpa-onnx, litert",
        "card": "size, multiply-adds, latency, memory, training",
    },
    "which is better": {
        "compare": "which of several systems is better? on any scorer's results",
        "score-enhanced": "is enhanced speech understood better? on anybody's files",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}
EXAMPLES = {
    "prepare": "prepare grid ~/grid --out train.jsonl --valid valid.jsonl",
    "doctor": "doctor train.jsonl --against valid.jsonl",
    "audit": "audit train.jsonl --budget 15m --out audit",
    "train": "train recognise --train train.jsonl --valid valid.jsonl --out runs/mine --budget 30m",
    "runs": "runs runs",
    "tensorboard": "tensorboard runs/mine",
    "wandb": "wandb runs/mine --project mine",
    "transcribe": "transcribe runs/mine/best.pt talk.flac --out talk.srt",
    "evaluate": "evaluate runs/mine/best.pt valid.jsonl --out runs/mine/valid --beam 16",
    "enhance": "enhance runs/enhancer/best.pt noisy.wav clean.wav",
    "offset": "offset valid.jsonl --recogniser runs/mine/best.pt --lips runs/lips/best.pt",
    "export": "export runs/mine/best.pt --to onnx --out runs/mine/onnx",
    "card": "card runs/mine/best.pt",
    "compare": "compare runs/a/valid/hypotheses.jsonl runs/b/valid/hypotheses.jsonl --out ab",
    "score-enhanced": "score-enhanced scenes.jsonl --enhanced enhanced "
    "--recogniser runs/mine/best.pt --out scores",
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


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of `ctcasr`; only a command that is chosen is loaded and has flags.

    Example:
        >>> build_parser("runs").parse_args(["runs", "here"]).folder.name
        'here'
    """
    parser = argparse.ArgumentParser(
        prog="ctcasr",
        usage="ctcasr [-h] [--version] [--completion {bash,zsh}] COMMAND ...",
        description="Train CTC speech recognisers and understand what the training does.\n"
        + _listed_commands(),
        epilog="ctcasr COMMAND --help tells more, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"ctcasr {installed_version()}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument(
        "--completion",
        action=_PrintCompletion,
        choices=("bash", "zsh"),
        help="print a script by which the shell completes commands and flags with Tab",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS, prog="ctcasr"
    )
    for name in [chosen] if chosen else COMMANDS:
        command = commands.add_parser(name, description=_sentence(COMMANDS[name]))
        if chosen:
            load_command(name).add_arguments(command)
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            before = f"{command.epilog}\n\n" if command.epilog else ""
            command.epilog = f"{before}example:\n  ctcasr {EXAMPLES[name]}"
    return parser


class _PrintCompletion(argparse.Action):
    """Prints the script and ends, as --version does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, *_: object
    ) -> None:
        from ctcasr.commands.completion import completion_script
        from ctcasr.commands.prepare import CORPORA

        recipes = load_command("train")
        parsers: dict[str, argparse.ArgumentParser] = {}
        for name in COMMANDS:
            parsers[name] = argparse.ArgumentParser()
            load_command(name).add_arguments(parsers[name])
        for name in recipes.recipe_names():
            if settings := getattr(recipes.load_recipe(name), "Settings", None):
                parsers[f"train {name}"] = _settings_parser(settings)
        names = {"train": recipes.recipe_names(), "prepare": list(CORPORA)}
        print(completion_script(str(values), parsers, names), end="")
        parser.exit()


def _settings_parser(settings: type) -> argparse.ArgumentParser:
    from ctcasr.train.settings import settings_parser

    return settings_parser(settings)


def _listed_commands() -> str:
    """All commands under the headings of their groups."""
    lines = []
    for heading, commands in GROUPS.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:15s} {text}" for name, text in commands.items()]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    """The text, as a sentence."""
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _run(chosen: str | None, words: list[str]) -> int:
    parser = build_parser(chosen)
    if chosen in HAND_ON:
        arguments = parser.parse_args(words[:2])
        arguments.flags = words[2:]
    elif words.count("--") > 1:  # argparse would make lists of some arguments
        parser.error("expected -- at most once")
    else:
        refuse_unknown_command(parser, chosen, words)
        arguments, unknown = parser.parse_known_args(words)
        if unknown:
            refuse_unknown_flags(arguments.command, unknown)
    status: int = load_command(arguments.command).run(arguments)
    return status


def refuse_unknown_command(
    parser: argparse.ArgumentParser, chosen: str | None, words: Sequence[str]
) -> None:
    """Exits with the nearest command, where one is near."""
    if chosen or not words or words[0].startswith("-"):
        return
    from ctcasr.text.spelling import did_you_mean

    if hint := did_you_mean(words[0], COMMANDS):
        parser.error(f"expected a command; got {words[0]!r}{hint}")


def refuse_unknown_flags(name: str, unknown: Sequence[str]) -> None:
    """Exits with the usage of the command and the nearest of its flags."""
    from ctcasr.train.settings import FlagParser

    parser = FlagParser(prog=f"ctcasr {name}")
    load_command(name).add_arguments(parser)
    parser.error(f"unrecognized arguments: {' '.join(unknown)}")


if __name__ == "__main__":
    sys.exit(main())
