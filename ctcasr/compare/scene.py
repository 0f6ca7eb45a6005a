"""One scene: speech with something else, what it is made of, and the strata it belongs to."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, read_audio, read_manifest

BIN_DB = 5
STRATA = ("snr", "interferer", "noise", "speaker", "seen")


@dataclass(frozen=True)
class Scene:
    """One line of a scene list: the noisy file, its clean target, its interferer, and what is said."""

    noisy: Utterance
    clean: Path | None
    interferer: Path | None
    text: str
    source: str  # the sentence that was mixed: scenes of one source are no independent samples
    snr_db: float | None = None
    strata: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return self.noisy.id

    @property
    def speaker(self) -> str | None:
        return self.noisy.speaker

    def stratum(self, kind: str) -> str | None:
        """The group of this scene among those of `kind`; None where the line does not tell."""
        return dict(self.strata).get(kind)


@dataclass(frozen=True, eq=False)
class Sound:
    """The samples of a scene [N] at `rate_hz`; clean and interferer are None where there is no file."""

    rate_hz: int
    noisy: Tensor
    clean: Tensor | None
    interferer: Tensor | None


def read_scenes(path: Path | str) -> tuple[list[Scene], list[Skip]]:
    """The scenes of a list and the lines that cannot be scored; ValueError where none can, or two share a name."""
    manifest = read_manifest(path, strict=False)
    scenes, skipped, names = list[Scene](), list(manifest.skipped), dict[str, str]()
    for utterance in manifest:
        if utterance.text is None:
            skipped.append(
                Skip(utterance.where, "expected a text to compare with; the line has none")
            )
            continue
        if utterance.id in names:
            raise ValueError(
                f"{path}: expected a name of its own for each scene; {utterance.where} and {names[utterance.id]} are both "
                f"called {utterance.id}, so that enhanced files could not be told apart"
            )
        names[utterance.id] = utterance.where
        scenes.append(scene_of(utterance))
    if not scenes:
        raise ValueError(
            f"{path}: expected scenes with a text; all {len(skipped)} lines were left out ({skipped[0].reason})"
        )
    return scenes, skipped


def scene_of(utterance: Utterance) -> Scene:
    """A scene from one manifest line; without `source`, the target file, or the noisy one, stands for the sentence."""
    extra = utterance.extra
    clean, interferer = (
        Path(extra[k]) if isinstance(extra.get(k), str) else None
        for k in ("target_filepath", "interferer_filepath")
    )
    snr = extra.get("snr_db")
    snr_db = float(snr) if isinstance(snr, int | float) and math.isfinite(snr) else None
    strata: dict[str, Any] = {
        "snr": snr_bin(snr_db),
        "interferer": extra.get("interferer"),
        "noise": extra.get("noise"),
        "speaker": utterance.speaker,
        "seen": _seen(extra.get("seen")),
    }
    source = str(extra.get("source") or clean or utterance.audio_filepath)
    named = tuple((kind, str(value)) for kind, value in strata.items() if value is not None)
    return Scene(utterance, clean, interferer, utterance.text or "", source, snr_db, named)


def snr_bin(snr_db: float | None) -> str | None:
    """The bin of 5 dB that an SNR lies in, as `-5 to 0 dB`; its upper end belongs to the next one."""
    if snr_db is None:
        return None
    low = math.floor(snr_db / BIN_DB) * BIN_DB
    return f"{low} to {low + BIN_DB} dB"


def read_sound(scene: Scene) -> Sound:
    """Noisy, clean and interferer at the noisy file's rate; AudioError for one that cannot be read or is not as long (10 ms)."""
    rate_hz = audio_info(scene.noisy.audio_filepath).rate_hz
    noisy = read_audio(scene.noisy, rate_hz)
    parts: list[Tensor | None] = []
    for name, path in (("target", scene.clean), ("interferer", scene.interferer)):
        if path is None:
            parts.append(None)
            continue
        part = read_audio(replace(scene.noisy, audio_filepath=path), rate_hz)
        if abs(part.shape[0] - noisy.shape[0]) > 0.01 * rate_hz:
            raise AudioError(
                f"{path}: expected a {name} as long as the scene ({noisy.shape[0]} samples); got {part.shape[0]}"
            )
        parts.append(fit(part, noisy.shape[0]))
    return Sound(rate_hz, noisy, parts[0], parts[1])


def fit(samples: Tensor, length: int) -> Tensor:
    """Samples [N] as [length]: cut, or with silence behind."""
    if samples.shape[0] == length:
        return samples
    out = samples.new_zeros(length)
    out[: min(length, samples.shape[0])] = samples[:length]
    return out


def dev_and_test(
    scenes: Sequence[Scene], share: float, seed: int
) -> tuple[list[Scene], list[Scene]]:
    """Scenes to choose by and scenes to score: no source is in both. Lines with `"part": "dev"` decide, else `share` of the sources."""
    marked = {scene.source for scene in scenes if scene.noisy.extra.get("part") == "dev"}
    if not marked and share > 0:
        sources = sorted({scene.source for scene in scenes})
        random.Random(seed).shuffle(sources)
        marked = set(sources[: round(share * len(sources))])
    dev = [scene for scene in scenes if scene.source in marked]
    test = [scene for scene in scenes if scene.source not in marked]
    if not test:
        raise ValueError(
            f"expected scenes that choose nothing, to be scored; all {len(dev)} are in the dev part"
        )
    return dev, test


def _seen(value: Any) -> str | None:
    return (
        value
        if isinstance(value, str)
        else None
        if value is None
        else "seen in training"
        if value
        else "unseen"
    )
