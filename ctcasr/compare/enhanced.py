"""Enhanced files of anybody: found by name, brought to the scene's rate and length."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.compare.alignment import UNLIKE, Aligned, align
from ctcasr.compare.results import first_names, label_of, lines_of
from ctcasr.compare.scene import Scene, Sound, path_ends
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.audio import AudioInfo
from ctcasr.data.sidecar import enhanced_by, merged
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.files import enhanced, plan_lines, told_unseen
from ctcasr.scoring.figures import rounded

SUFFIXES = (".wav", ".flac", ".ogg")
MIXTURE_ENDINGS = ("_mixed", "_mix", "_noisy")  # of scene names, which enhancers often drop

NOISY = "noisy"  # the conditions that every trial has
CLEAN = "clean"

ID = "{id}"  # of a pattern: where the name of the scene stands

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

    `S00001_mixed.wav`, `S00001.wav` and `S00001_enhanced.wav` all are scene S00001_mixed, and so is
    what `pattern` makes of its name: `{id}_enh.wav`.
    """

    name: str
    folder: Path
    sidecar: Mapping[str, Any] = field(default_factory=dict)  # what lies beside files of ours
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # by stem, and place inside
    pattern: str = ""
    unseen: str = ""  # how many scenes our enhancer should have seen, and did not

    @staticmethod
    def open(folder: Path | str, name: str = "", pattern: str = "") -> EnhancedFolder:
        """The folder's files by their names, or those of a list of `name path` lines (.scp).

        Raises:
            ValueError: where there is no folder, no sound in it, or no {id} in the pattern.
        """
        folder = Path(folder)
        if pattern and ID not in pattern:
            raise ValueError(f"--pattern: expected {ID} in it, as {ID}_enh.wav; got {pattern!r}")
        if folder.suffix == ".scp" and folder.is_file():
            return EnhancedFolder(name or "enhanced", folder, {}, read_scp(folder), pattern)
        if not folder.is_dir():
            there = "another file" if folder.exists() else "nothing"
            raise ValueError(
                f"{folder}: expected a folder of enhanced files, or the checkpoint of an enhancer; "
                f"found {there}"
            )
        files: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and not os.path.isdir(path):
                inside = path.relative_to(folder).with_suffix("").as_posix()
                for own_name in sorted({path.stem, inside}):
                    files.setdefault(own_name, []).append(path)
        if not files:
            kinds = ", ".join(SUFFIXES)
            raise ValueError(f"{folder}: expected enhanced files ({kinds}); found none")
        return EnhancedFolder(name or "enhanced", folder, _sidecar_of(files), files, pattern)

    @property
    def listener(self) -> str:
        """Fingerprint of the recogniser that the enhancer was trained to please; "" for none.

        With spaces, where several enhancers pleased several.
        """
        return str(self.sidecar.get("listener") or "")

    def find(self, scene: Scene) -> Sequence[Path]:
        """Files of the first name under which there are any."""
        own = [scene.id, scene.noisy.file_name]
        if "/" not in scene.id:  # several scenes have that name otherwise
            own.append(scene.noisy.audio_filepath.stem)
        own = list(dict.fromkeys(own))
        short = list(dict.fromkeys(_shortened(name) for name in own))
        names = [*own, *(f"{name}_enhanced" for name in short), *short]
        names += [f"{name}_enhanced" for name in own]
        if self.pattern:
            pattern = stem_of(self.pattern)
            names = [pattern.replace(ID, name) for name in (*own, *short)]
        for name in names:
            if name in self.files:
                return self.files[name]
        return ()

    def refuse_strangers(self, scenes: Sequence[Scene]) -> None:
        """ValueError where no file belongs to a scene; it says by which pattern some would."""
        if any(self.find(scene) for scene in scenes):
            return
        stems = list(self.files)
        raise ValueError(
            f"{self.folder}: expected files with the names of the scenes, as {scenes[0].id}.wav; "
            f"none of {len(stems)} has one ({first_names(stems)}): "
            f"{pattern_hint(stems, scenes)}"
        )

    def read(self, scene: Scene, sound: Sound) -> Enhanced:
        """The file of a scene, aligned to its noisy samples; never raises for a bad file."""
        paths = self.find(scene)
        if not paths:
            return Enhanced(None, MISSING, f"no file for {scene.id} in {self.folder}")
        path = paths[0]
        if len(paths) > 1:
            reason = f"{len(paths)} files are called {path.stem}"
            return Enhanced(None, UNREADABLE, reason, path=path)
        if not os.path.exists(path):
            return Enhanced(None, MISSING, _absence(path), path=path)
        try:
            info = audio_info(path)
            samples = read_audio(path, sound.rate_hz)
        except (AudioError, OSError) as error:
            return Enhanced(None, UNREADABLE, str(error), path=path)
        aligned = align(sound.noisy, samples, sound.rate_hz, sound.clean)
        return Enhanced(aligned, OK, "", _oddities(info, samples, sound, aligned), path)


def _sidecar_of(files: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """What lies beside files about who enhanced them; empty where no enhancer of ours did."""
    enhancers = []
    for path in dict.fromkeys(path for paths in files.values() for path in paths):
        enhancer = enhanced_by(path)
        if enhancer is not None and enhancer not in enhancers:
            enhancers.append(enhancer)
    return merged(enhancers)


def _absence(path: Path) -> str:
    """Why there is nothing at a path that a folder or a list names."""
    if os.path.islink(path):
        target = os.readlink(path)
        return f"{path}: expected a sound file; found a link to {target}, where nothing is"
    return f"{path}: expected a sound file; found nothing there"


def _shortened(name: str) -> str:
    """The name of a mixture without what says that it is one."""
    for ending in MIXTURE_ENDINGS:
        name = name.removesuffix(ending)
    return name


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
    if aligned.resemblance < UNLIKE and bool(samples.any()):
        oddities.append(f"unlike its scene (correlation {rounded(aligned.resemblance, 2)})")
    return tuple(oddities)


def pattern_hint(stems: Sequence[str], scenes: Sequence[Scene]) -> str:
    """The pattern by which files would be found, where one can be guessed."""
    for scene in scenes:
        for stem in stems:
            if scene.id in stem:
                return f"--pattern '{stem.replace(scene.id, ID)}.wav' would find them"
    return f"--pattern says how they are called, as '{ID}_enh.wav'"


def stem_of(name: str) -> str:
    """A file's name without the suffix of a sound."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def read_scp(path: Path) -> dict[str, list[Path]]:
    """The files of a list with a name and a path in each line, relative to it or to here.

    Raises:
        ValueError: for a line that is none.
    """
    files: dict[str, list[Path]] = {}
    for place, line in lines_of(path):
        name, _, sound = line.strip().partition(" ")
        if not sound.strip():
            raise ValueError(f"{place}: expected a name and a path; got {line!r}")
        file = Path(sound.strip())
        beside = path.parent / file
        # Not `beside.is_file()`, which raises for names that are too long.
        files.setdefault(name, []).append(beside if os.path.isfile(beside) else file)
    return files


def open_all(
    places: Sequence[str],
    scenes: Sequence[Scene],
    out: Path,
    pattern: str = "",
    device: str | torch.device = "cpu",
) -> list[EnhancedFolder]:
    """What each [NAME=]DIR, [NAME=]LIST.scp or [NAME=]CHECKPOINT says.

    A folder as it is; a checkpoint after enhancing every scene with it, into `out`/enhanced.

    Raises:
        ValueError: where there is no folder, no sound in it, none of a scene, or a name is taken.
    """
    paths = []
    labels = []
    for place in places:
        label, location = label_of(place)
        paths.append(Path(location))
        labels.append(label)
    for number, own_name in enumerate(own_names(paths)):
        if not labels[number]:
            labels[number] = "enhanced" if len(places) == 1 else own_name
    refuse_same_names(labels)
    folders = []
    for label, path in zip(labels, paths, strict=True):
        if path.is_file() and path.suffix != ".scp":
            folder = out / "enhanced" / label
            jobs = plan_lines([scene.noisy for scene in scenes], folder)
            unseen = told_unseen(enhanced(Enhancer.load(path, device), jobs))
            folders.append(replace(EnhancedFolder.open(folder, label), unseen=unseen))
        else:
            folders.append(EnhancedFolder.open(path, label, pattern))
    for opened in folders:
        opened.refuse_strangers(scenes)
    return folders


def own_names(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as many as tell them apart.

    Example:
        >>> own_names([Path("a/x/out"), Path("a/y/out"), Path("runs/mine/best.pt")])
        ['x/out', 'y/out', 'mine']
    """
    folders = []
    for path in paths:
        is_file = path.is_file() or path.suffix == ".pt"
        folders.append(path.parent if is_file else path)
    return path_ends(folders)


def refuse_same_names(names: Sequence[str]) -> None:
    """ValueError where two conditions would have one name."""
    counts = Counter([NOISY, CLEAN, *names])
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(
            "expected a name of its own for each enhancer, other than clean and noisy; got "
            f"{', '.join(twice)} twice: give NAME=DIR"
        )
