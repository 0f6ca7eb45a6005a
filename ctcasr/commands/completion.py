"""Scripts by which a shell completes commands, flags and choices: pressing Tab starts no Python."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Mapping, Sequence

SHELLS = ("bash", "zsh")

_HEAD = """\
# Tab completion of ctcasr; made by `ctcasr --completion SHELL`.
_ctcasr() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= choices=
"""
_TAIL = """\
    if [ -n "$choices" ]; then
        COMPREPLY=($(compgen -W "$choices" -- "$word"))
    elif [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _ctcasr ctcasr
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def completion_script(
    shell: str, parsers: Mapping[str, argparse.ArgumentParser], names: Mapping[str, Sequence[str]]
) -> str:
    """The script for bash or zsh.

    `parsers` go by the words of a call ("doctor", "train recognise"); `names` are what may stand
    behind a command that is followed by a name.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument("--loud", choices=("no", "yes"))
        >>> script = completion_script("bash", {"speak": parser}, {})
        >>> "flags='-h --help --loud'" in script and "choices='no yes'" in script
        True
    """
    commands = [*dict.fromkeys(words.split()[0] for words in parsers), "--help", "--version"]
    lines = [_HEAD, f"    [ $COMP_CWORD -eq 1 ] && choices={_quoted(commands)}\n"]
    for command, following in names.items():
        asked = f"[ $COMP_CWORD -eq 2 ] && [ ${{COMP_WORDS[1]}} = {command} ]"
        lines.append(f"    {asked} && choices={_quoted(following)}\n")
    lines.append('    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in\n')
    # "train recognise" stands before "train", which matches it too.
    for words, parser in sorted(parsers.items(), key=lambda entry: -len(entry[0].split())):
        pattern = f'"{words}"' if " " in words else f'"{words} "*'
        lines += [f"    {pattern})\n", *_lines_of(parser), "        ;;\n"]
    lines += ["    esac\n", _TAIL]
    return (_ZSH if shell == "zsh" else "") + "".join(lines)


def _lines_of(parser: argparse.ArgumentParser) -> list[str]:
    """What the script says about one command: its flags, and what may follow some of them."""
    flags: list[str] = []
    lines = []
    for action in parser._actions:
        flags += action.option_strings
        if action.option_strings and action.choices:
            pattern = "|".join(action.option_strings)
            choices = _quoted([str(choice) for choice in action.choices])
            lines.append(f"            {pattern}) choices={choices} ;;\n")
    if lines:
        lines = ["        case $before in\n", *lines, "        esac\n"]
    return [f"        flags={_quoted(flags)}\n", *lines]


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))
