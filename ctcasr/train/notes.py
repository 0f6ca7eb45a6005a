"""What a checkpoint says about the run that made it: written here, so that no recipe forgets it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance
from ctcasr.data.provenance import provenance_of
from ctcasr.kernels.installed import installed_version
from ctcasr.train.config import TrainConfig
from ctcasr.train.settings import to_toml

# Settings that name manifests, or several with commas between.
MANIFEST_SETTINGS = ("train", "dev", "valid", "noise", "rooms", "talkers", "texts")
Hashes = dict[str, list[list[str]]]  # of each setting: names of manifests and of their contents
_HASH_DIGITS = 16


def run_notes(
    recipe: str, settings: TrainConfig, heard: Iterable[Utterance], **more: Any
) -> dict[str, Any]:
    """The notes of a checkpoint: what was learnt from, how, and by which version.

    `heard` are all utterances that training hears, also those that select and what is mixed in.
    Keys: recipe, version, settings (TOML), manifests (file name to hash of its content), heard (see
    `provenance_of`), train (name of the manifest), and `more`.

    Example:
        >>> notes = run_notes("mine", TrainConfig(epochs=3), [])
        >>> notes["settings"].splitlines()[0], notes["heard"]["files"]
        ('epochs = 3', [])
    """
    notes: dict[str, Any] = {
        "recipe": recipe,
        "version": installed_version(),
        "settings": to_toml(settings),
        "manifests": manifest_hashes(settings),
        "heard": provenance_of(list(heard)),
    }
    train = getattr(settings, "train", "")
    if train:
        notes["train"] = Path(train).name
    return {**notes, **more}


def manifest_hashes(settings: TrainConfig) -> Hashes:
    """File name and hash of the content of every manifest there is, by the setting that names it.

    In the order of the setting: manifests in folders of their own are often called the same.
    """
    hashes: Hashes = {}
    for name in MANIFEST_SETTINGS:
        for path in str(getattr(settings, name, "")).split(","):
            if path and Path(path).is_file():
                hashes.setdefault(name, []).append([Path(path).name, content_hash(Path(path))])
    return hashes


def content_hash(path: Path) -> str:
    """16 hex digits of a file's content; OSError where it cannot be read."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH_DIGITS]
