"""What was recognised before: one more enhancer costs only its own listening."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ctcasr.compare.judge import Judge

Heard = str | Exception  # a text, or why there is none


def sound_key(samples: Tensor) -> bytes:
    """The same for equal samples [N]."""
    content = samples.contiguous().numpy().tobytes()
    return hashlib.sha1(content, usedforsecurity=False).digest()


class Memory:
    """Hypotheses by recogniser and sound, in a file of JSON lines.

    An interrupted trial goes on where it was. Without a path nothing outlives the object. Only
    recognisers with a fingerprint are remembered: nobody knows when another one changes.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.known: dict[str, str] = {}
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                key, text = json.loads(line)
            except ValueError:  # the last line of an interrupted run
                continue
            self.known[key] = text

    def texts(self, judge: Judge, rate_hz: int) -> dict[bytes, Heard]:
        """What `judge` wrote, by the key of the sound."""
        if not judge.fingerprint:
            return {}
        prefix = _prefix(judge, rate_hz)
        texts: dict[bytes, Heard] = {}
        for key, text in self.known.items():
            if key.startswith(prefix):
                texts[bytes.fromhex(key.removeprefix(prefix))] = text
        return texts

    def add(self, judge: Judge, rate_hz: int, texts: Mapping[bytes, Heard]) -> None:
        """Keep what was written; failures are tried again."""
        if self.path is None or not judge.fingerprint:
            return
        prefix = _prefix(judge, rate_hz)
        with self.path.open("a", encoding="utf-8") as file:
            for key, text in texts.items():
                if isinstance(text, str):
                    self.known[prefix + key.hex()] = text
                    line = json.dumps((prefix + key.hex(), text), ensure_ascii=False)
                    file.write(line + "\n")


def _prefix(judge: Judge, rate_hz: int) -> str:
    return f"{judge.fingerprint}:{rate_hz}:"
