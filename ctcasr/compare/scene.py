"""One scene: speech with something else, what it is made of, and the strata it belongs to."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, read_audio, read_manifest

BIN_DB = 5  # width of a stratum of SNR
STRATA = ("snr", "interferer", "noise", "speaker", "seen")
TOLERANCE_S = 0.05  # by which the parts of a scene may differ in length


@dataclass(frozen=True)
class Scene:
    """One line of a scene list: the noisy file, its clean target, its interferer, and its text."""

    noisy: Utterance
    clean: Path | None
    interferer: Path | None
    text: str
    source: str  # the sentence that was mixed: scenes of one source are no independent samples
    snr_db: float | None = None
    strata: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """By which enhanced files are found: the line's `id`, or the name of the noisy file."""
        return str(self.noisy.extra.get("id") or self.noisy.id)

    @property
    def speaker(self) -> str | None:
        """Who speaks; None where the line does not tell."""
        return self.noisy.speaker

    def stratum(self, kind: str) -> str | None:
        """The group of this scene among those of `kind`; None where the line does not tell."""
        return dict(self.strata).get(kind)


@dataclass(frozen=True, eq=False)
class Sound:
    """The samples of a scene, [N] each, at `rate_hz`; None where there is no file."""

    rate_hz: int
    noisy: Tensor
    clean: Tensor | None
    interferer: Tensor | None

    @property
    def noise(self) -> Tensor | None:
        """The interferer, or noisy less clean where there is no file; None: not known."""
        if self.interferer is not None or self.clean is None:
            return self.interferer
        return self.noisy - self.clean


def read_scenes(path: Path | str) -> tuple[list[Scene], list[Skip]]:
    """The scenes of a list, and the lines that cannot be scored.

    Raises:
        ValueError: where no line can be scored, or two scenes share a name.
    """
    manifest = read_manifest(path, strict=False)
    utterances: list[Utterance] = []
    scenes: list[Scene] = []
    skipped = list(manifest.skipped)
    line_of: dict[str, str] = {}
    for utterance in manifest:
        if utterance.text is None:
            reason = "expected a text to compare with; the line has none"
            skipped.append(Skip(utterance.where, reason))
            continue
        # Enhanced files have the name of the noisy one.
        utterances.append(replace(utterance, name=""))
    for utterance in told_apart(utterances):
        scene = scene_of(utterance)
        if scene.id in line_of:
            raise ValueError(
                f"{path}: expected a name of its own for each scene; {utterance.where} and "
                f"{line_of[scene.id]} are both called {scene.id}, so that enhanced files could not "
                "be told apart: give each line an `id`"
            )
        line_of[scene.id] = utterance.where
        scenes.append(scene)
    if not scenes:
        raise ValueError(
            f"{path}: expected scenes with a text; all {len(skipped)} lines were left out "
            f"({skipped[0].reason})"
        )
    return scenes, skipped


def told_apart(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Noisy files of one name in several folders get so much of their paths as tells them apart.

    They are a/001 and b/001 then, as their enhanced files are, in folders within that of the
    enhancer.
    """
    paths_of: dict[str, list[Path]] = {}
    for utterance in utterances:
        if not utterance.extra.get("id"):
            paths_of.setdefault(utterance.id, []).append(utterance.audio_filepath)
    named = []
    for utterance in utterances:
        paths = [] if utterance.extra.get("id") else paths_of[utterance.id]
        if len(set(paths)) > 1:
            ends = dict(zip(paths, path_ends(paths), strict=True))
            name = Path(ends[utterance.audio_filepath]).with_suffix("").as_posix()
            utterance = replace(utterance, name=name)
        named.append(utterance)
    return named


def path_ends(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as many as tell it apart from the others.

    Example:
        >>> path_ends([Path("a/x/out"), Path("a/y/out"), Path("runs/mine")])
        ['x/out', 'y/out', 'mine']
    """
    ends = []
    for path in paths:
        parts = path.parts or (".",)
        size = 1
        while size < len(parts) and _alike(paths, parts[-size:]) > 1:
            size += 1
        ends.append("/".join(parts[-size:]))
    return ends


def _alike(paths: Sequence[Path], ending: tuple[str, ...]) -> int:
    """How many paths end so."""
    return sum(path.parts[-len(ending) :] == ending for path in paths)


def scene_of(utterance: Utterance) -> Scene:
    """A scene from one manifest line.

    Without `source`, the target file, or the noisy one, stands for the sentence.
    """
    extra = utterance.extra
    clean = _path(extra.get("target_filepath"))
    snr_db = _number(extra.get("snr_db"))
    named = {
        "snr": snr_bin(snr_db),
        "interferer": extra.get("interferer"),
        "noise": extra.get("noise"),
        "speaker": utterance.speaker,
        "seen": _seen(extra.get("seen")),
    }
    strata = tuple((kind, str(name)) for kind, name in named.items() if name is not None)
    return Scene(
        noisy=utterance,
        clean=clean,
        interferer=_path(extra.get("interferer_filepath")),
        text=utterance.text or "",
        source=str(extra.get("source") or clean or utterance.audio_filepath),
        snr_db=snr_db,
        strata=strata,
    )


def snr_bin(snr_db: float | None) -> str | None:
    """The bin of 5 dB that an SNR lies in; its upper end belongs to the next one.

    Example:
        >>> snr_bin(-2.5), snr_bin(5.0)
        ('-5 to 0 dB', '5 to 10 dB')
    """
    if snr_db is None:
        return None
    low = math.floor(snr_db / BIN_DB) * BIN_DB
    return f"{low} to {low + BIN_DB} dB"


def read_sound(scene: Scene) -> Sound:
    """Noisy, clean and interferer at the noisy file's rate.

    Raises:
        AudioError: for one that cannot be read, or is 50 ms shorter or longer than the others.
    """
    rate_hz = audio_info(scene.noisy.audio_filepath).rate_hz
    noisy = read_audio(scene.noisy, rate_hz)
    clean = _read_part(scene, "target", scene.clean, rate_hz, noisy.shape[0])
    interferer = _read_part(scene, "interferer", scene.interferer, rate_hz, noisy.shape[0])
    return Sound(rate_hz, noisy, clean, interferer)


def _read_part(
    scene: Scene, name: str, path: Path | None, rate_hz: int, length: int
) -> Tensor | None:
    if path is None:
        return None
    samples = read_audio(replace(scene.noisy, audio_filepath=path), rate_hz)
    if abs(samples.shape[0] - length) > TOLERANCE_S * rate_hz:
        raise AudioError(
            f"{path}: expected a {name} as long as the scene ({length} samples); "
            f"got {samples.shape[0]}"
        )
    return cut_or_pad(samples, length)


def cut_or_pad(samples: Tensor, length: int) -> Tensor:
    """Samples [N] as [length]: cut, or with silence behind."""
    if samples.shape[0] == length:
        return samples
    fitted = samples.new_zeros(length)
    fitted[: min(length, samples.shape[0])] = samples[:length]
    return fitted


def dev_and_test(
    scenes: Sequence[Scene], share: float, seed: int
) -> tuple[list[Scene], list[Scene]]:
    """Scenes to choose by and scenes to score: no source is in both.

    Lines with `"part": "dev"` decide; where there are none, `share` of the sources are drawn.

    Raises:
        ValueError: where nothing is left to score.
    """
    dev_sources = {scene.source for scene in scenes if scene.noisy.extra.get("part") == "dev"}
    if not dev_sources and share > 0:
        sources = sorted({scene.source for scene in scenes})
        random.Random(seed).shuffle(sources)
        dev_sources = set(sources[: round(share * len(sources))])
    dev_scenes = [scene for scene in scenes if scene.source in dev_sources]
    test_scenes = [scene for scene in scenes if scene.source not in dev_sources]
    if not test_scenes:
        raise ValueError(
            f"expected scenes that choose nothing, to be scored; all {len(dev_scenes)} are in the "
            "dev part"
        )
    return dev_scenes, test_scenes


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _seen(value: object) -> str | None:
    """Whether the noise was in training, in words."""
    if value is None or isinstance(value, str):
        return value
    return "seen in training" if value else "unseen"
