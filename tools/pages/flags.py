"""The reference of every flag, from the parsers themselves."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterable, Sequence
from html import escape
from unittest.mock import patch

from ctcasr.cli import COMMANDS, GROUPS, HAND_ON, build_parser
from ctcasr.commands.prepare import CORPORA
from ctcasr.commands.train import load_recipe, recipe_names


class Parsed(Exception):
    """Carries the parser of a program that was about to read its command line, and the words."""

    def __init__(self, parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
        super().__init__(parser.prog)
        self.parser = parser
        self.words = list(words)


def about_to_parse(main: Callable[[list[str]], object], words: list[str]) -> Parsed:
    """The parser that a program builds inside its main(words), and the words that it would read.

    Raises:
        ValueError: for one that reads no command line by argparse.
    """

    def stop(
        parser: argparse.ArgumentParser, args: Sequence[str] | None = None, *_: object
    ) -> None:
        raise Parsed(parser, words if args is None else args)

    with patch.object(argparse.ArgumentParser, "parse_known_args", stop):
        try:
            main(words)
        except Parsed as caught:
            return caught
    raise ValueError(f"expected {main} to read its command line by argparse")


def flag_pages() -> dict[str, str]:
    """Address -> Markdown of the pages of flags: commands, corpora, recipes."""
    return {
        "reference/commands.md": _commands(),
        "reference/corpora.md": _corpora(),
        "reference/recipes.md": _recipes(),
    }


def _commands() -> str:
    lines = [
        "# Flags of the commands",
        "",
        "Made from the parsers; `ctcasr COMMAND --help` says it.",
    ]
    for heading, commands in GROUPS.items():
        lines += ["", f"## {heading[0].upper()}{heading[1:]}"]
        for name in commands:
            parser = command_parser(name)
            lines += _section(f"ctcasr {name}", COMMANDS[name], parser)
            if name in HAND_ON:
                page = "corpora.md" if name == "prepare" else "recipes.md"
                lines += ["", f"What stands behind the name: [all flags]({page})."]
    return "\n".join(lines) + "\n"


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    for action in build_parser(name)._actions:
        if isinstance(action, argparse._SubParsersAction):
            parser: argparse.ArgumentParser = action.choices[name]
            return parser
    raise AssertionError("the program has commands")


def _corpora() -> str:
    lines = ["# Flags of the corpora", "", "`ctcasr prepare CORPUS`, made from the parsers."]
    for name, what in CORPORA.items():
        lines += _section(f"ctcasr prepare {name}", what, corpus_parser(name), level=2)
    return "\n".join(lines) + "\n"


def corpus_parser(name: str) -> argparse.ArgumentParser:
    """The parser of `ctcasr prepare NAME`."""
    module = importlib.import_module("ctcasr.corpora." + name.replace("-", "_"))
    return about_to_parse(module.main, []).parser


def _recipes() -> str:
    lines = ["# Flags of the recipes", ""]
    lines.append("`ctcasr train RECIPE` or `python recipes/RECIPE.py`, made from the parsers.")
    for name in recipe_names():
        module = load_recipe(name)
        what = (module.__doc__ or "").partition("\n")[0]
        if name == "demo":
            lines += ["", "## ctcasr train demo", "", what, ""]
            lines.append("Its flags are those of [recognise](#ctcasr-train-recognise).")
        else:
            lines += _section(f"ctcasr train {name}", what, recipe_parser(name), level=2)
    return "\n".join(lines) + "\n"


def recipe_parser(name: str) -> argparse.ArgumentParser:
    """The parser of a recipe; the demo takes the flags of `recognise`."""
    main = load_recipe("recognise" if name == "demo" else name).main
    return about_to_parse(main, []).parser


def _section(
    title: str, what: str, parser: argparse.ArgumentParser, level: int = 3
) -> Iterable[str]:
    """A program: what it does, and a table of flags for each of its groups."""
    what = what[0].upper() + what[1:]
    lines = ["", f"{'#' * level} {title}", "", what if what.endswith(("?", ".")) else f"{what}."]
    for heading, actions in _groups(parser).items():
        lines += ["", f"*{heading}*"] if heading else []
        lines += ["", *_table(actions, parser._get_formatter())]
    return lines


def _groups(parser: argparse.ArgumentParser) -> dict[str, list[argparse.Action]]:
    """Heading -> what stands below it; "" for what argparse heads by itself."""
    groups: dict[str, list[argparse.Action]] = {}
    for group in parser._action_groups:
        heading = group.title or ""
        if heading in ("positional arguments", "options"):
            heading = ""
        actions = [action for action in group._group_actions if action.dest != "help"]
        if actions:
            groups.setdefault(heading, []).extend(actions)
    return groups


def _table(actions: list[argparse.Action], formatter: argparse.HelpFormatter) -> list[str]:
    """A row for each; a column of defaults where there are any."""
    with_defaults = any(_default(action) for action in actions)
    columns = ["flag", "default", "what"] if with_defaults else ["flag", "what"]
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for action in actions:
        what = formatter._expand_help(action) if action.help else ""
        cells = [_names(action), _code(_default(action)), _without_bars(what).replace("[", "\\[")]
        if not with_defaults:
            del cells[1]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _names(action: argparse.Action) -> str:
    """Flags, and what stands behind them."""
    value = _value_name(action)
    names = [_code(name) for name in action.option_strings]
    if not names:
        return _code(value)
    if value:
        names[-1] += f" {_code(value)}"
    return ", ".join(names)


def _value_name(action: argparse.Action) -> str:
    """What stands behind a flag."""
    if action.nargs == 0:
        return ""
    if action.choices:
        return "|".join(str(choice) for choice in action.choices)
    name = action.metavar or action.dest.upper()
    return name if isinstance(name, str) else " ".join(name)


def _default(action: argparse.Action) -> str:
    default = action.default
    if default in (None, "", argparse.SUPPRESS) or isinstance(default, bool):
        return ""
    return str(default)


def _code(text: str) -> str:
    """Text as code in a cell; nothing for nothing."""
    return f"<code>{_without_bars(text)}</code>" if text else ""


def _without_bars(text: str) -> str:
    """Text in a cell, whose bars are no borders."""
    return escape(" ".join(text.split()), quote=False).replace("|", "&#124;")
