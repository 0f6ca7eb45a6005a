"""Enhanced files of anybody: found by name, brought to the scene's rate and length, and every oddity counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ctcasr.compare.alignment import Aligned, align
from ctcasr.compare.scene import Scene, Sound
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.provenance import enhanced_by

_SUFFIXES = (".wav", ".flac", ".ogg")


@dataclass(frozen=True, eq=False)
class Enhanced:
    """One enhanced scene [N], aligned; or None with the reason. `oddities`: what had to be put right."""

    aligned: Aligned | None
    status: str = "ok"  # "ok", "missing", "unreadable"
    reason: str = ""
    oddities: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def samples(self) -> Tensor | None:
        return None if self.aligned is None else self.aligned.samples


@dataclass
class EnhancedFolder:
    """A folder of enhanced files: `S00001_mixed.wav`, `S00001.wav` and `S00001_enhanced.wav` all are scene S00001_mixed."""

    name: str
    folder: Path
    by: dict[str, Any] = field(default_factory=dict)  # what the enhancer's sidecar says
    files: dict[str, list[Path]] = field(default_factory=dict)

    @staticmethod
    def open(folder: Path | str, name: str = "") -> EnhancedFolder:
        """ValueError where there is no folder, or no sound in it."""
        folder = Path(folder)
        if not folder.is_dir():
            raise ValueError(
                f"{folder}: expected a folder of enhanced files, or the checkpoint of an enhancer; found "
                + ("another file" if folder.exists() else "nothing")
            )
        files: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                files.setdefault(path.stem, []).append(path)
        if not files:
            raise ValueError(
                f"{folder}: expected enhanced files ({', '.join(_SUFFIXES)}); found none"
            )
        return EnhancedFolder(name or "enhanced", folder, dict(enhanced_by(folder) or {}), files)

    def find(self, scene: Scene) -> list[Path]:
        """Files of the first name under which there are any."""
        stem = scene.noisy.audio_filepath.stem
        short = stem.removesuffix("_mixed").removesuffix("_mix").removesuffix("_noisy")
        for name in (scene.id, stem, f"{short}_enhanced", short, f"{stem}_enhanced"):
            if name in self.files:
                return self.files[name]
        return []

    def read(self, scene: Scene, sound: Sound) -> Enhanced:
        """The file of a scene, aligned to its noisy samples; never raises for a bad file."""
        paths = self.find(scene)
        if not paths:
            return Enhanced(None, "missing", f"no file for {scene.id} in {self.folder}")
        if len(paths) > 1:
            return Enhanced(
                None, "unreadable", f"{len(paths)} files are called {paths[0].stem}", path=paths[0]
            )
        path = paths[0]
        try:
            info = audio_info(path)
            samples = read_audio(path, sound.rate_hz)
        except AudioError as error:
            return Enhanced(None, "unreadable", str(error), path=path)
        odd = []
        if info.rate_hz != sound.rate_hz:
            odd.append(f"{info.rate_hz} Hz")
        if info.channels != 1:
            odd.append(f"{info.channels} channels")
        if apart := samples.shape[0] - sound.noisy.shape[0]:
            odd.append(f"{apart:+d} samples")
        if not bool(samples.any()):
            odd.append("silent")
        aligned = align(sound.noisy, samples, sound.rate_hz, sound.clean)
        if aligned.gain < 0:
            odd.append("inverted")
        if aligned.lag:
            odd.append(f"lag {aligned.lag}")
        return Enhanced(aligned, "ok", "", tuple(odd), path)
