"""What was recognised before: an interrupted trial goes on where it was, and one more enhancer costs only its own listening."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ctcasr.compare.judge import Judge


def sound_key(samples: Tensor) -> bytes:
    """The same for equal samples [N]."""
    return hashlib.sha1(samples.contiguous().numpy().tobytes(), usedforsecurity=False).digest()


class Memory:
    """Hypotheses by recogniser and sound, in a file of JSON lines; without a path nothing outlives the object.

    Only recognisers with a fingerprint are remembered: nobody knows when another one changes.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.known = path, dict[str, str]()
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    name, text = json.loads(line)
                except ValueError:  # the last line of an interrupted run
                    continue
                self.known[name] = text

    def texts(self, judge: Judge, rate_hz: int) -> dict[bytes, str | Exception]:
        """What `judge` wrote, by the key of the sound."""
        start = f"{judge.fingerprint}:{rate_hz}:"
        return {
            bytes.fromhex(name.removeprefix(start)): text
            for name, text in self.known.items()
            if judge.fingerprint and name.startswith(start)
        }

    def add(self, judge: Judge, rate_hz: int, texts: Mapping[bytes, str | Exception]) -> None:
        """Keep what was written; failures are tried again."""
        if self.path is None or not judge.fingerprint:
            return
        new = {
            f"{judge.fingerprint}:{rate_hz}:{key.hex()}": text
            for key, text in texts.items()
            if isinstance(text, str)
        }
        self.known.update(new)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(pair, ensure_ascii=False) + "\n" for pair in new.items())
