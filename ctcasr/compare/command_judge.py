"""Anybody's program as a judge: it reads paths of sound files, and writes what is said in them."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
from torch import Tensor

from ctcasr.compare.judge import THIRD_PARTY, JudgeError, TextsError
from ctcasr.text import Reference, plain_words

PREFIX = "command:"
FINGERPRINT_DIGITS = 16


@dataclass
class CommandJudge:
    """A program: paths on standard input, one a line; `path<TAB>text` on standard output.

    It is started once for many sounds, which are WAV files (float32) at the scenes' rate.
    """

    name: str
    words: Sequence[str]  # of the command line
    fingerprint: str = ""
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = THIRD_PARTY

    @staticmethod
    def load(target: str, name: str = "") -> CommandJudge:
        """From `command:PROGRAM ARGUMENTS`, taken apart as a shell does; no shell runs.

        What it wrote is remembered until the command line or one of the files in it changes.

        Raises:
            JudgeError: for no command.
        """
        words = shlex.split(target.removeprefix(PREFIX))
        if not words:
            raise JudgeError(f"expected a program after {PREFIX}; got nothing")
        digest = hashlib.sha1(" ".join(words).encode(), usedforsecurity=False)
        for word in words:
            if Path(word).is_file():
                digest.update(Path(word).read_bytes())
        return CommandJudge(name or target, words, digest.hexdigest()[:FINGERPRINT_DIGITS])

    def reference(self, text: str) -> Reference:
        """The words alone: its alphabet is not known."""
        return plain_words(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N].

        Raises:
            JudgeError: where the program cannot be run, or fails.
            TextsError: where a text is missing, or is about another file.
        """
        with tempfile.TemporaryDirectory(prefix="ctcasr-judge-") as folder:
            paths = []
            for number, sound in enumerate(sounds):
                path = str(Path(folder) / f"{number:06d}.wav")
                soundfile.write(path, sound.float().numpy(), rate_hz, subtype="FLOAT")
                paths.append(path)
            return self._texts(self._run(paths), paths)

    def _run(self, paths: Sequence[str]) -> str:
        """Standard output of the program."""
        given = "".join(f"{path}\n" for path in paths)
        try:
            ended = subprocess.run(
                list(self.words), input=given, capture_output=True, text=True, encoding="utf-8"
            )
        except OSError as error:
            raise JudgeError(f"{self.name}: cannot be run: {error}") from error
        if ended.returncode:
            last = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise TextsError(f"{self.name}: ended with status {ended.returncode}: {last[0]}")
        return ended.stdout

    def _texts(self, output: str, paths: Sequence[str]) -> list[str]:
        """The text of each path, in any order."""
        text_of: dict[str, str] = {}
        for line in output.split("\n"):
            path, tab, text = line.partition("\t")
            if not tab:
                if line.strip() in paths:
                    text_of[line.strip()] = ""
                continue
            text_of[path] = text
        for index, path in enumerate(paths):
            if path not in text_of:
                raise TextsError(
                    f"{self.name}: expected a line path<TAB>text for each of {len(paths)} sounds; "
                    f"sound {index + 1} has none",
                    index,
                )
        return [text_of[path] for path in paths]
