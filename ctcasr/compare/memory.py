"""What was recognised and measured before: one more enhancer costs only its own sounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ctcasr.compare.judge import Judge
from ctcasr.compare.metrics import DNSMOS, Metrics, has_dnsmos, measure

HEARD = "heard.jsonl"
MEASURED = "metrics.jsonl"

Heard = str | Exception  # a text, or why there is none


def sound_key(samples: Tensor) -> bytes:
    """The same for equal samples [N]."""
    content = samples.contiguous().numpy().tobytes()
    return hashlib.sha1(content, usedforsecurity=False).digest()


class Memory:
    """Hypotheses by recogniser and sound, and metrics by sound, in files of JSON lines.

    An interrupted trial goes on where it was. Without a folder nothing outlives the object. Only
    recognisers with a fingerprint are remembered: nobody knows when another one changes.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.heard: dict[str, str] = {}
        self.measured: dict[str, dict[str, float]] = {}
        if folder is not None:
            self.heard = _read(folder / HEARD)
            self.measured = _read(folder / MEASURED)

    def texts(self, judge: Judge, rate_hz: int) -> dict[bytes, Heard]:
        """What `judge` wrote, by the key of the sound."""
        if not judge.fingerprint:
            return {}
        prefix = _prefix(judge, rate_hz)
        texts: dict[bytes, Heard] = {}
        for key, text in self.heard.items():
            if key.startswith(prefix):
                texts[bytes.fromhex(key.removeprefix(prefix))] = text
        return texts

    def add(self, judge: Judge, rate_hz: int, texts: Mapping[bytes, Heard]) -> None:
        """Keep what was written; failures are tried again."""
        if not judge.fingerprint:
            return
        prefix = _prefix(judge, rate_hz)
        new = {}
        for key, text in texts.items():
            if isinstance(text, str):
                new[prefix + key.hex()] = text
        self.heard.update(new)
        self._append(HEARD, new)

    def measure(
        self, samples: Tensor, clean: Tensor | None, interferer: Tensor | None, rate_hz: int
    ) -> Metrics:
        """`metrics.measure`, once for the same sounds.

        What failed is tried again, and so is what lacks a metric that can be had by now.
        """
        sounds = [sound for sound in (samples, clean, interferer) if sound is not None]
        key = f"{rate_hz}:" + ":".join(sound_key(sound).hex() for sound in sounds)
        known = self.measured.get(key)
        if known is not None and (DNSMOS[0] in known or not has_dnsmos()):
            return Metrics(scores=dict(known))
        metrics = measure(samples, clean, interferer, rate_hz)
        if not metrics.failed:
            self.measured[key] = metrics.scores
            self._append(MEASURED, {key: metrics.scores})
        return metrics

    def _append(self, name: str, new: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        with (self.folder / name).open("a", encoding="utf-8") as file:
            for entry in new.items():
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """The entries of a file; empty without one."""
    entries: dict[str, Any] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                key, value = json.loads(line)
            except ValueError:  # the last line of an interrupted run
                continue
            entries[key] = value
    return entries


def _prefix(judge: Judge, rate_hz: int) -> str:
    return f"{judge.fingerprint}:{rate_hz}:"
