"""A part of the AVSE challenge to scenes: ctcasr prepare avse avsec/dev --out dev.jsonl

The folder holds scenes/S*_mixed.wav (or S*_mono_mix.wav, S*_mix.wav) with _target.wav, _interferer.wav and _silent.mp4 beside them; the
list scenes.PART.json is found there, above, or in metadata/. The challenge hands out no transcripts: --texts names a folder of TARGET.txt
or SCENE.txt (LRS3's `Text: ...` line is understood). The evaluation part has no targets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

_MIXED = ("_mixed.wav", "_mono_mix.wav", "_mix.wav")


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every mixture below the folder, with what the list says about it."""
    root = Path(arguments.source)
    listed = scene_lists(root) if arguments.scenes is None else _scenes(arguments.scenes)
    found = sorted(path for path in root.rglob("S*.wav") if path.name.endswith(_MIXED))
    if not found:
        raise ValueError(
            f"{root}: expected a folder of AVSE scenes; found no S*_mixed.wav in it or below"
        )
    for mixed in found:
        name = mixed.name.split("_")[0]
        scene = listed.get(name, {})
        beside = {
            part: mixed.with_name(f"{name}_{part}")
            for part in ("target.wav", "interferer.wav", "silent.mp4")
        }
        extra: dict[str, Any] = {
            key: str(beside[part])
            for key, part in (
                ("target_filepath", "target.wav"),
                ("interferer_filepath", "interferer.wav"),
            )
            if beside[part].is_file()
        }
        target = str((scene.get("target") or {}).get("name") or name)
        extra |= {"scene": name, "source": target, **interferer(scene)}
        video = beside["silent.mp4"] if beside["silent.mp4"].is_file() else None
        yield Utterance(
            mixed,
            None,
            text(arguments.texts, target, name),
            speaker=target.split("_")[0] if scene else None,
            video_filepath=video,
            extra=extra,
            where=name,
        )


def scene_lists(root: Path) -> dict[str, Mapping[str, Any]]:
    """Scenes by name, of every scenes*.json in the folder, above it, or in a metadata folder of either."""
    places = [folder for base in (root, root.parent) for folder in (base, base / "metadata")]
    found: dict[str, Mapping[str, Any]] = {}
    for path in (path for folder in places for path in sorted(folder.glob("scenes*.json"))):
        found.update(_scenes(path))
    return found


def _scenes(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        scenes = json.loads(path.read_text(encoding="utf-8"))
        return {str(scene["scene"]): scene for scene in scenes}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected a list of scenes, each with a name under `scene`; {error!r}"
        ) from error


def interferer(scene: Mapping[str, Any]) -> dict[str, Any]:
    """Kind, class and SNR; several interferers are joined by `+`."""
    several = scene.get("interferer") or []
    several = several if isinstance(several, list) else [several]
    kinds = sorted(
        {"talker" if one.get("type") == "speech" else str(one.get("type")) for one in several}
    )
    names = sorted(
        {
            "talker" if one.get("type") == "speech" else str(one.get("name")).split("/")[0]
            for one in several
        }
    )
    found: dict[str, Any] = (
        {"interferer": "+".join(kinds), "noise": "+".join(names)} if several else {}
    )
    snr = scene.get("SNR", scene.get("snr"))
    return found | ({"snr_db": float(snr)} if snr is not None else {})


def text(folder: Path | None, target: str, name: str) -> str | None:
    """The transcript of a target or scene; None without one."""
    for path in (folder / f"{stem}.txt" for stem in (target, name) if folder is not None):
        if path.is_file():
            first = path.read_text(encoding="utf-8-sig").strip().split("\n")[0]
            return first.removeprefix("Text:").strip()
    return None


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "folder of one part, as avsec3/dev")
    parser.add_argument(
        "--scenes", type=Path, help="the list of the scenes, where it lies elsewhere"
    )
    parser.add_argument("--texts", type=Path, help="folder of transcripts, TARGET.txt or SCENE.txt")
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
