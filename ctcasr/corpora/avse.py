"""A part of the AVSE challenge to scenes: ctcasr prepare avse avsec/dev --out dev.jsonl

The folder holds scenes/S*_mixed.wav (or S*_mono_mix.wav, S*_mix.wav) with _target.wav,
_interferer.wav and _silent.mp4 beside them; the list scenes.PART.json is found there, above, or in
metadata/. The challenge hands out no transcripts: --texts names a folder of TARGET.txt or SCENE.txt
(LRS3's `Text: ...` line is understood). The evaluation part has no targets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

MIXTURES = ("_mixed.wav", "_mono_mix.wav", "_mix.wav")
Scene = Mapping[str, Any]  # as the challenge lists it


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every mixture below the folder, with what the list says about it.

    Raises:
        ValueError: where there is no mixture or no folder of texts, or a list is broken.
    """
    root = Path(arguments.source)
    if arguments.texts is not None and not arguments.texts.is_dir():
        raise ValueError(f"--texts {arguments.texts}: expected a folder; there is none")
    if arguments.scenes is None:
        scenes = find_scenes(root)
    else:
        scenes = read_scene_list(arguments.scenes)
    mixtures = sorted(path for path in root.rglob("S*.wav") if path.name.endswith(MIXTURES))
    if not mixtures:
        raise ValueError(
            f"{root}: expected a folder of AVSE scenes; found no S*_mixed.wav in it or below"
        )
    for mixture in mixtures:
        name = mixture.name.split("_")[0]
        yield utterance_of(mixture, name, scenes.get(name, {}), arguments.texts)


def utterance_of(mixture: Path, name: str, scene: Scene, texts: Path | None) -> Utterance:
    """A manifest line of one scene."""
    target = str((scene.get("target") or {}).get("name") or name)
    extra: dict[str, Any] = {}
    for part in ("target", "interferer"):
        path = mixture.with_name(f"{name}_{part}.wav")
        if path.is_file():
            extra[f"{part}_filepath"] = str(path)
    extra |= {"scene": name, "source": target, **describe_interferers(scene)}
    video = mixture.with_name(f"{name}_silent.mp4")
    return Utterance(
        mixture,
        text=read_text(texts, (target, name)),
        speaker=target.split("_")[0] if scene else None,
        video_filepath=video if video.is_file() else None,
        extra=extra,
        where=name,
    )


def find_scenes(root: Path) -> dict[str, Scene]:
    """Scenes by name, of every scenes*.json in the folder, above it, or in a metadata folder."""
    scenes: dict[str, Scene] = {}
    for folder in (root, root.parent):
        for place in (folder, folder / "metadata"):
            for path in sorted(place.glob("scenes*.json")):
                scenes.update(read_scene_list(path))
    return scenes


def read_scene_list(path: Path) -> dict[str, Scene]:
    """Scenes by name; ValueError for a file that is no list of them."""
    try:
        scenes = json.loads(path.read_text(encoding="utf-8"))
        by_name = {str(scene["scene"]): scene for scene in scenes}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected a list of scenes, each with a name under `scene`; {error!r}"
        ) from error
    for name, scene in by_name.items():
        for part in ("target", "interferer"):
            described = scene.get(part) or {}
            if not all(isinstance(one, dict) for one in _listed(described)):
                raise ValueError(
                    f"{path}: scene {name}: expected {part} as an object with its name; "
                    f"got {str(described)[:40]!r}"
                )
    return by_name


def describe_interferers(scene: Scene) -> dict[str, Any]:
    """Keys interferer (kind), noise (class) and snr_db, where they are known.

    Several interferers are joined by `+`.
    """
    interferers = _listed(scene.get("interferer") or [])
    kinds: set[str] = set()
    classes: set[str] = set()
    for interferer in interferers:
        if interferer.get("type") == "speech":
            kinds.add("talker")
            classes.add("talker")
        else:
            kinds.add(str(interferer.get("type")))
            classes.add(str(interferer.get("name")).split("/")[0])
    description: dict[str, Any] = {}
    if interferers:
        description["interferer"] = "+".join(sorted(kinds))
        description["noise"] = "+".join(sorted(classes))
    snr_db = scene.get("SNR", scene.get("snr"))
    if snr_db is not None:
        try:
            description["snr_db"] = float(snr_db)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"scene {scene.get('scene')}: SNR: expected a number of dB; {error}"
            ) from error
    return description


def _listed(value: Any) -> list[Any]:
    """A list as it is, and anything else as a list of it."""
    return value if isinstance(value, list) else [value]


def read_text(folder: Path | None, names: Sequence[str]) -> str | None:
    """The transcript under the first name that has one; None without any."""
    if folder is None:
        return None
    for name in names:
        path = folder / f"{name}.txt"
        if path.is_file():
            first_line = _prepare.text_of(path).strip().split("\n")[0]
            return first_line.removeprefix("Text:").strip()
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare avse`; ValueError or OSError where that fails."""
    parser = _prepare.corpus_parser("avse", __doc__, "folder of one part, as avsec3/dev")
    parser.add_argument(
        "--scenes", type=Path, help="the list of the scenes, where it lies elsewhere"
    )
    parser.add_argument("--texts", type=Path, help="folder of transcripts, TARGET.txt or SCENE.txt")
    return _prepare.prepare(read, parser.parse_args(argv))
