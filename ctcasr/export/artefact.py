"""An exported file, and how it is run: by its own runtime, in one thread."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Runner = Callable[[Floats], Floats]  # features [1, C, H, W] to probabilities [1, classes]


@dataclass(frozen=True)
class Artefact:
    """A file for a runtime.

    `precision` is "float32", "int8 dynamic" (weights) or "int8 static" (activations too).
    """

    path: Path
    runtime: str
    precision: str
    load: Callable[[Path], Runner]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @property
    def zipped(self) -> int:
        """Bytes of the file in a zip archive."""
        return zipped_bytes(self.path)

    def runner(self) -> Runner:
        """The file in its runtime, ready to run."""
        return self.load(self.path)


def zipped_bytes(path: Path) -> int:
    """Bytes of a zip archive (deflate, level 9) that holds the file; zeros cost nearly nothing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(path, path.name)
    return packed.getbuffer().nbytes
