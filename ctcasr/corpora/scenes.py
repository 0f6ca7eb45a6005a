"""Speech mixed with noises or competing talkers: ctcasr prepare scenes --speech valid.jsonl --noise noise.jsonl --out scenes

Writes OUT/scenes/S00001_mixed.wav, _target.wav and _interferer.wav (and _silent.mp4 where the speech has a video), OUT/scenes.json in the
layout of the AVSE challenge, and OUT/SCENES.jsonl for `ctcasr score-enhanced` and training. Kind, class, recording, place and SNR of a
scene are drawn from the seed and its number alone. SNR is that of the powers over the whole scene. With a room, both sound in it, and the
target keeps the reflections of the first 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import fit_length, read_audio, read_manifest, write_manifest
from ctcasr.data.mixing import Mixture, mix
from ctcasr.data.provenance import fingerprint


@dataclass(frozen=True)
class Kind:
    """What may be heard beside the speech: recordings by class, and the range of the SNR, in dB."""

    name: str  # "noise" or "talker"; the AVSE challenge calls a talker "speech"
    classes: Mapping[str, Sequence[Utterance]]
    low_db: float
    high_db: float


@dataclass(frozen=True)
class Drawn:
    """What the dice said for one scene."""

    kind: Kind
    label: str
    recording: Utterance
    place: float  # 0..1, of the possible starts
    snr_db: float
    room: Utterance | None


def draw(
    seed: int,
    number: int,
    kinds: Sequence[Kind],
    rooms: Sequence[Utterance],
    room_share: float,
    speaker: str | None,
) -> Drawn:
    """The interferer of scene `number`: kind first, then class, recording, place, SNR and room; never the talker against himself."""
    dice = random.Random(f"{seed}:{number}")
    kind = dice.choice(kinds)
    labels = sorted(label for label in kind.classes if kind.name != "talker" or label != speaker)
    if not labels:
        raise ValueError(f"expected a competing talker other than {speaker}; there is none")
    label = dice.choice(labels)
    recording = dice.choice(kind.classes[label])
    place, level = dice.random(), dice.random()
    in_room = bool(rooms) and dice.random() < room_share
    return Drawn(
        kind,
        label,
        recording,
        place,
        round(kind.low_db + (kind.high_db - kind.low_db) * level, 2),
        dice.choice(rooms) if in_room else None,
    )


def make(a: argparse.Namespace) -> int:
    """All scenes; the number of those that could not be made."""
    kinds = [
        kind
        for kind in (
            _kind("noise", "label", a.noise, a.noise_snr_db, a.labels, a.not_labels),
            _kind("talker", "speaker", a.talkers, a.talker_snr_db, None, None),
        )
        if kind is not None
    ]
    if not kinds:
        raise ValueError("expected --noise or --talkers, something to be heard beside the speech")
    rooms = read_manifest(a.rooms).utterances if a.rooms else ()
    speech = [u for path in a.speech for u in read_manifest(path)]
    out, folder = Path(a.out), Path(a.out) / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    before, listed = _before(out) if a.append else ([], [])
    lines: list[dict[str, Any]] = []
    first, failed = a.first + len(before), 0
    for number, utterance in enumerate((u for u in speech for _ in range(a.copies)), start=1):
        name = f"S{first + number - 1:05d}"
        try:
            drawn = draw(a.seed, number, kinds, rooms, a.room_share, utterance.speaker)
            mixture, offset = render(utterance, drawn, a.rate_hz)
        except ValueError as error:  # AudioError too
            print(f"left out: {name} ({utterance.where}): {error}", file=sys.stderr)
            failed += 1
            continue
        files = {part: folder / f"{name}_{part}.wav" for part in ("mixed", "target", "interferer")}
        for part, samples in (
            ("mixed", mixture.noisy),
            ("target", mixture.clean),
            ("interferer", mixture.interferer),
        ):
            soundfile.write(files[part], samples.numpy(), a.rate_hz, subtype="PCM_16")
        video = _video(utterance, folder / f"{name}_silent")
        lines.append(_line(utterance, drawn, mixture, files, video, a))
        listed.append(avse_scene(name, utterance, drawn, offset, mixture.noisy.shape[0], a.dataset))
    if not lines:
        raise ValueError("expected at least one scene; none could be made")
    write_manifest(out / "SCENES.jsonl", [*before, *lines])
    (out / "scenes.json").write_text(
        json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    counts = {kind.name: sum(line["interferer"] == kind.name for line in lines) for kind in kinds}
    print(
        f"{out / 'SCENES.jsonl'}: {len(lines)} scenes ({', '.join(f'{n} {k}' for k, n in counts.items())}), {failed} left out"
        + (f", beside {len(before)} that were there" if before else "")
    )
    return failed


def _before(out: Path) -> tuple[list[Utterance], list[dict[str, Any]]]:
    """The scenes that lie in OUT, as manifest lines and as listed."""
    if not (out / "SCENES.jsonl").is_file():
        return [], []
    return list(read_manifest(out / "SCENES.jsonl")), json.loads(
        (out / "scenes.json").read_text(encoding="utf-8")
    )


def render(utterance: Utterance, drawn: Drawn, rate_hz: int) -> tuple[Mixture, int]:
    """The mixture of a scene and where in the interferer it begins, in samples; an interferer that is too short begins anew."""
    speech, other = read_audio(utterance, rate_hz), read_audio(drawn.recording, rate_hz)
    offset = int(drawn.place * (max(0, other.shape[0] - speech.shape[0]) + 1))
    rir: Tensor | None = None if drawn.room is None else read_audio(drawn.room, rate_hz)
    return mix(
        speech,
        fit_length(other, speech.shape[0], "loop", offset),
        drawn.snr_db,
        rir=rir,
        rate_hz=rate_hz,
    ), offset


def avse_scene(
    name: str, utterance: Utterance, drawn: Drawn, offset: int, samples: int, dataset: str
) -> dict[str, Any]:
    """A scene as the AVSE challenge lists it; times and offsets in samples."""
    return {
        "dataset": dataset,
        "scene": name,
        "duration": samples,
        "target": {"name": utterance.id, "time_start": 0, "time_end": samples},
        "interferer": {
            "type": "speech" if drawn.kind.name == "talker" else "noise",
            "name": drawn.recording.id,
            "offset": offset,
            "time_start": 0,
            "time_end": samples,
        },
        "SNR": drawn.snr_db,
    }


def _line(
    utterance: Utterance,
    drawn: Drawn,
    mixture: Mixture,
    files: Mapping[str, Path],
    video: Path | None,
    a: argparse.Namespace,
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "audio_filepath": files["mixed"],
        "target_filepath": files["target"],
        "interferer_filepath": files["interferer"],
        "duration": round(mixture.noisy.shape[0] / a.rate_hz, 4),
        "text": utterance.text,
        "speaker": utterance.speaker,
        "source": utterance.id,
        "snr_db": drawn.snr_db,
        "interferer": drawn.kind.name,
        "room": drawn.room and drawn.room.id,
        "noise": "talker" if drawn.kind.name == "talker" else drawn.label,
        "interferer_source": drawn.recording.id,
        "scale": round(mixture.scale, 6),
        "speech_fingerprint": fingerprint(utterance.audio_filepath),
        "interferer_fingerprint": fingerprint(drawn.recording.audio_filepath),
        "video_filepath": video,
        "part": a.part,
    }
    if a.seen is not None:
        line["seen"] = a.seen == ["all"] or line["noise"] in a.seen
    return {key: value for key, value in line.items() if value is not None}


def _kind(
    name: str,
    by: str,
    paths: Sequence[str],
    span_db: Sequence[float],
    only: Sequence[str] | None,
    without: Sequence[str] | None,
) -> Kind | None:
    classes: dict[str, list[Utterance]] = {}
    for utterance in (u for path in paths for u in read_manifest(path)):
        label = getattr(utterance, by) or utterance.id
        if (only is None or label in only) and label not in (without or ()):
            classes.setdefault(label, []).append(utterance)
    unknown = sorted(set(only or ()) - set(classes))
    if paths and (unknown or not classes):
        raise ValueError(
            f"expected recordings of {', '.join(unknown) or f'some {name}'}; {', '.join(paths)} have none"
        )
    return Kind(name, classes, *span_db) if classes else None


def _video(utterance: Utterance, to: Path) -> Path | None:
    """A link to the video, or a copy where links cannot be made; None where there is none."""
    if utterance.video_filepath is None or not utterance.video_filepath.is_file():
        return None
    to = to.with_suffix(utterance.video_filepath.suffix)
    to.unlink(missing_ok=True)
    try:
        to.symlink_to(os.path.relpath(utterance.video_filepath.resolve(), to.parent.resolve()))
    except OSError:
        shutil.copyfile(utterance.video_filepath, to)
    return to


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speech", nargs="+", required=True, help="manifests of the speech")
    parser.add_argument(
        "--noise", nargs="+", default=[], help="manifests of noises; `label` is the class"
    )
    parser.add_argument(
        "--talkers",
        nargs="+",
        default=[],
        help="manifests of competing talkers; `speaker` is the class",
    )
    parser.add_argument("--labels", nargs="+", help="only these classes of noise")
    parser.add_argument("--not-labels", nargs="+", help="all classes of noise but these")
    parser.add_argument(
        "--seen",
        nargs="*",
        help="classes used in training (talker: competing talkers), or all; the others are unseen",
    )
    parser.add_argument(
        "--noise-snr-db", type=float, nargs=2, default=(-10.0, 10.0), metavar=("LOW", "HIGH")
    )
    parser.add_argument(
        "--talker-snr-db", type=float, nargs=2, default=(-15.0, 5.0), metavar=("LOW", "HIGH")
    )
    parser.add_argument("--rooms", help="manifest of room responses")
    parser.add_argument(
        "--room-share",
        type=float,
        default=0.5,
        help="share of the scenes in a room, where there are any (default 0.5)",
    )
    parser.add_argument(
        "--copies", type=int, default=1, help="scenes of each utterance (default 1)"
    )
    parser.add_argument("--dataset", default="valid", help="name of the part in scenes.json")
    parser.add_argument(
        "--part",
        choices=("dev", "test"),
        help="dev: these scenes choose in `ctcasr score-enhanced`, and are not scored",
    )
    parser.add_argument("--first", type=int, default=1, help="number of the first scene")
    parser.add_argument(
        "--append",
        action="store_true",
        help="keep the scenes that OUT holds; the new ones are numbered after them",
    )
    parser.add_argument("--rate-hz", type=int, default=16000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="folder to write")
    try:
        make(parser.parse_args(argv))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
