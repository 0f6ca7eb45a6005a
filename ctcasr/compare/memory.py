"""What was recognised and measured before: one more enhancer costs only its own sounds."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ctcasr.compare.judge import Judge
from ctcasr.compare.metrics import (
    DNSMOS,
    PACKAGES,
    Metrics,
    Split,
    Splitter,
    absent_metrics,
    measure,
)

HEARD = "heard.jsonl"
MEASURED = "metrics.jsonl"
_DIGEST = re.compile("[0-9a-f]{40}")  # of `sound_key`, as a file has it
NOT_INSTALLED = "not installed (pip install 'ctcasr[metrics]')"

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
        self._splitter: Splitter | None = None
        self._split_scene: tuple[bytes, bytes, int] | None = None
        if folder is not None:
            for key, text in _entries(folder / HEARD):
                if isinstance(text, str):
                    self.heard[key] = text
            for key, scores in _entries(folder / MEASURED):
                if _is_scores(scores):
                    self.measured[key] = scores

    def texts(self, judge: Judge, rate_hz: int) -> dict[bytes, Heard]:
        """What `judge` wrote, by the key of the sound."""
        if not judge.fingerprint:
            return {}
        prefix = _prefix(judge, rate_hz)
        texts: dict[bytes, Heard] = {}
        for key, text in self.heard.items():
            digest = key.removeprefix(prefix)
            if key.startswith(prefix) and _DIGEST.fullmatch(digest):
                texts[bytes.fromhex(digest)] = text
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

        What failed is tried again, and so is what lacks a metric that can be had by now. A package
        that is not installed is no failure.
        """
        sounds = [sound for sound in (samples, clean, interferer) if sound is not None]
        key = f"{rate_hz}:" + ":".join(sound_key(sound).hex() for sound in sounds)
        absent = absent_metrics()
        wanted = _wanted(clean is not None)
        known = self.measured.get(key)
        if known is not None and wanted - absent <= known.keys():
            # Without DNSMOS, which nobody misses.
            missing = (wanted & absent).difference(DNSMOS)
            return Metrics(dict(known), dict.fromkeys(missing, NOT_INSTALLED))
        metrics = measure(samples, clean, interferer, rate_hz, self._split)
        for name in absent & metrics.failed.keys():
            metrics.failed[name] = NOT_INSTALLED
        if metrics.failed.keys() <= absent:
            self.measured[key] = metrics.scores
            self._append(MEASURED, {key: metrics.scores})
        return metrics

    def _split(self, estimate: Tensor, clean: Tensor, interferer: Tensor) -> Split:
        """`metrics.split`; all conditions of a scene share what depends on the scene alone."""
        scene = (sound_key(clean), sound_key(interferer), estimate.shape[0])
        if self._splitter is None or self._split_scene != scene:
            self._splitter = Splitter(clean, interferer, estimate.shape[0])
            self._split_scene = scene
        return self._splitter(estimate)

    def _append(self, name: str, new: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        with (self.folder / name).open("a", encoding="utf-8") as file:
            for entry in new.items():
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _wanted(compared: bool) -> frozenset[str]:
    """The metrics of packages that a sound has, if it is compared with clean speech, or without."""
    if not compared:
        return frozenset(DNSMOS)
    return frozenset(name for names in PACKAGES.values() for name in names)


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The entries [name, value] of a file, none without one; other lines are passed over.

    Interrupted runs leave such lines, and so do disks that fail.
    """
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            entry = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
            yield entry[0], entry[1]


def _is_scores(value: object) -> bool:
    """Whether it is what `_append` wrote of metrics: finite numbers by name."""
    if not isinstance(value, dict):
        return False
    for score in value.values():
        if not isinstance(score, int | float) or not -math.inf < score < math.inf:
            return False
    return True


def _prefix(judge: Judge, rate_hz: int) -> str:
    return f"{judge.fingerprint}:{rate_hz}:"
