"""Enhanced files of anybody: found by name, brought to the scene's rate and length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ctcasr.compare.alignment import Aligned, align
from ctcasr.compare.scene import Scene, Sound
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.audio import AudioInfo
from ctcasr.data.provenance import enhanced_by
from ctcasr.enhance.files import enhance_files

SUFFIXES = (".wav", ".flac", ".ogg")
MIXTURE_ENDINGS = ("_mixed", "_mix", "_noisy")  # of scene names, which enhancers often drop

NOISY = "noisy"  # the conditions that every trial has
CLEAN = "clean"

OK = "ok"
MISSING = "missing"
UNREADABLE = "unreadable"


@dataclass(frozen=True, eq=False)
class Enhanced:
    """One enhanced scene [N], aligned; or None with the reason.

    `oddities`: what had to be put right.
    """

    aligned: Aligned | None
    status: str = OK  # or MISSING, UNREADABLE
    reason: str = ""
    oddities: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def samples(self) -> Tensor | None:
        """[N] at the scene's rate; None where there is nothing to hear."""
        return None if self.aligned is None else self.aligned.samples


@dataclass(frozen=True)
class EnhancedFolder:
    """A folder of enhanced files.

    `S00001_mixed.wav`, `S00001.wav` and `S00001_enhanced.wav` all are scene S00001_mixed.
    """

    name: str
    folder: Path
    sidecar: Mapping[str, Any] = field(default_factory=dict)  # what lies beside files of ours
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # by stem

    @staticmethod
    def open(folder: Path | str, name: str = "") -> EnhancedFolder:
        """The folder's files by their names.

        Raises:
            ValueError: where there is no folder, or no sound in it.
        """
        folder = Path(folder)
        if not folder.is_dir():
            there = "another file" if folder.exists() else "nothing"
            raise ValueError(
                f"{folder}: expected a folder of enhanced files, or the checkpoint of an enhancer; "
                f"found {there}"
            )
        files: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                files.setdefault(path.stem, []).append(path)
        if not files:
            kinds = ", ".join(SUFFIXES)
            raise ValueError(f"{folder}: expected enhanced files ({kinds}); found none")
        return EnhancedFolder(name or "enhanced", folder, dict(enhanced_by(folder) or {}), files)

    @property
    def listener(self) -> str:
        """Fingerprint of the recogniser that the enhancer was trained to please; "" for none."""
        return str(self.sidecar.get("listener") or "")

    def find(self, scene: Scene) -> Sequence[Path]:
        """Files of the first name under which there are any."""
        stem = scene.noisy.audio_filepath.stem
        short = stem
        for ending in MIXTURE_ENDINGS:
            short = short.removesuffix(ending)
        own = (scene.id, scene.noisy.file_name, stem)
        for name in (*own, f"{short}_enhanced", short, f"{stem}_enhanced"):
            if name in self.files:
                return self.files[name]
        return ()

    def read(self, scene: Scene, sound: Sound) -> Enhanced:
        """The file of a scene, aligned to its noisy samples; never raises for a bad file."""
        paths = self.find(scene)
        if not paths:
            return Enhanced(None, MISSING, f"no file for {scene.id} in {self.folder}")
        path = paths[0]
        if len(paths) > 1:
            reason = f"{len(paths)} files are called {path.stem}"
            return Enhanced(None, UNREADABLE, reason, path=path)
        try:
            info = audio_info(path)
            samples = read_audio(path, sound.rate_hz)
        except AudioError as error:
            return Enhanced(None, UNREADABLE, str(error), path=path)
        aligned = align(sound.noisy, samples, sound.rate_hz, sound.clean)
        return Enhanced(aligned, OK, "", _oddities(info, samples, sound, aligned), path)


def _oddities(info: AudioInfo, samples: Tensor, sound: Sound, aligned: Aligned) -> tuple[str, ...]:
    oddities = []
    if info.rate_hz != sound.rate_hz:
        oddities.append(f"{info.rate_hz} Hz")
    if info.channels != 1:
        oddities.append(f"{info.channels} channels")
    longer = samples.shape[0] - sound.noisy.shape[0]
    if longer:
        oddities.append(f"{longer:+d} samples")
    if not bool(samples.any()):
        oddities.append("silent")
    if aligned.gain < 0:
        oddities.append("inverted")
    if aligned.lag:
        oddities.append(f"lag {aligned.lag}")
    return tuple(oddities)


def open_enhanced(
    name: str, scenes: Sequence[Scene], out: Path, is_only_one: bool
) -> EnhancedFolder:
    """What [NAME=]DIR or [NAME=]CHECKPOINT says.

    A folder as it is; a checkpoint after enhancing every scene with it, into `out`/enhanced.

    Raises:
        ValueError: where there is no folder or no sound in it.
    """
    label, _, place = name.rpartition("=")
    path = Path(place)
    if not label:
        own_name = path.parent.name if path.is_file() else path.name
        label = "enhanced" if is_only_one else own_name
    if not path.is_file():
        return EnhancedFolder.open(path, label)
    folder = out / "enhanced" / label
    enhance_files(path, [scene.noisy for scene in scenes], folder)
    return EnhancedFolder.open(folder, label)


def refuse_same_names(folders: Sequence[EnhancedFolder]) -> None:
    """ValueError where two conditions would have one name."""
    names = Counter([NOISY, CLEAN, *(folder.name for folder in folders)])
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise ValueError(
            "expected a name of its own for each enhancer, other than clean and noisy; got "
            f"{', '.join(twice)} twice: give NAME=DIR"
        )
