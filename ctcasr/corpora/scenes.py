"""Speech mixed with noises or competing talkers.

ctcasr prepare scenes --speech valid.jsonl --noise noise.jsonl --out scenes

Writes OUT/scenes/S00001_mixed.wav, _target.wav and _interferer.wav (and _silent.mp4 where the
speech has a video), OUT/scenes.json in the layout of the AVSE challenge, and OUT/SCENES.jsonl for
`ctcasr score-enhanced` and training. Kind, class, recording, place and SNR of a scene are drawn
from the seed and its number alone. SNR is that of the powers over the whole scene. With a room,
both sound in it, and the target keeps the reflections of the first 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.data import fit_length, read_audio, read_manifest, write_manifest
from ctcasr.data.mixing import Mixture, mix
from ctcasr.data.provenance import fingerprint
from ctcasr.data.samples import LEAST_RATE_HZ, MOST_RATE_HZ
from ctcasr.kernels.atomic import write_text

NOISE = "noise"
BABBLE = "babble"  # many talkers at once, as recorded
TALKER = "talker"  # the AVSE challenge calls a talker "speech"
OWN = "own"  # the talker's own voice, with another sentence
VOICES = (TALKER, OWN)
ALL_SEEN = ["all"]
SNR_DIGITS = 2
SCALE_DIGITS = 6
MOST_SNR_DB = 90.0  # either way: beyond, the quieter of both is below a step of 16 bits
MOST_SCENES = 10**9
LISTS = ("SCENES.jsonl", "scenes.json")  # ours, and the challenge's
SCENE_FILE = re.compile(r"S(\d+)_(mixed|target|interferer|silent)\..*")
Line = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What may be heard beside the speech: recordings by class, and the range of the SNR, in dB."""

    name: str  # NOISE, BABBLE, TALKER or OWN
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
    rir: Utterance | None  # the room's impulse response

    @property
    def noise(self) -> str:
        """The class of what is heard; all talkers are one, and so is the own voice."""
        return self.kind.name if self.kind.name in VOICES else self.label


@dataclass(frozen=True)
class Rendered:
    """A scene's sound, and where in the interferer's recording it begins, in samples."""

    mixture: Mixture
    offset: int


@dataclass(frozen=True)
class Sources:
    """What scenes are drawn from."""

    kinds: Sequence[Kind]
    rirs: Sequence[Utterance] = ()
    room_share: float = 0.0

    @property
    def utterances(self) -> Iterator[Utterance]:
        """All recordings that a scene may be mixed from, beside the speech."""
        for kind in self.kinds:
            for recordings in kind.classes.values():
                yield from recordings
        yield from self.rirs


def draw_scene(seed: int, number: int, sources: Sources, utterance: Utterance) -> Drawn:
    """The interferer of scene `number`: kind, then class, recording, place, SNR and room.

    Raises:
        ValueError: where there is no talker but the speaker, or of him no other sentence.
    """
    dice = random.Random(f"{seed}:{number}")
    kind = dice.choice(sources.kinds)
    label = dice.choice(_labels_beside(kind, utterance))
    recording = dice.choice(_recordings_beside(kind, label, utterance))
    place = dice.random()
    level = dice.random()
    snr_db = kind.low_db + (kind.high_db - kind.low_db) * level
    rir = None
    if sources.rirs and dice.random() < sources.room_share:
        rir = dice.choice(sources.rirs)
    return Drawn(kind, label, recording, place, round(snr_db, SNR_DIGITS), rir)


def _labels_beside(kind: Kind, utterance: Utterance) -> list[str]:
    """The classes that may be heard beside an utterance."""
    labels = sorted(kind.classes)
    if kind.name == TALKER:
        labels = [label for label in labels if label != utterance.speaker]
    if kind.name == OWN:
        labels = [label for label in labels if label == utterance.speaker]
    if not labels:
        whom = "a competing talker other than" if kind.name == TALKER else "another sentence of"
        raise ValueError(f"expected {whom} {utterance.speaker}; there is none")
    return labels


def _recordings_beside(kind: Kind, label: str, utterance: Utterance) -> Sequence[Utterance]:
    """The recordings of a class; of the own voice those with another text."""
    recordings = kind.classes[label]
    if kind.name != OWN:
        return recordings
    others = [recording for recording in recordings if recording.text != utterance.text]
    if not others:
        raise ValueError(f"expected a sentence of {label} with another text; there is none")
    return others


def render(utterance: Utterance, drawn: Drawn, rate_hz: int) -> Rendered:
    """The mixture of a scene; an interferer that is too short begins anew. AudioError otherwise."""
    speech = read_audio(utterance, rate_hz)
    interferer = read_audio(drawn.recording, rate_hz)
    rir: Tensor | None = None
    if drawn.rir is not None:
        rir = read_audio(drawn.rir, rate_hz)
    length = speech.shape[0]
    spare = max(0, interferer.shape[0] - length)
    offset = int(drawn.place * (spare + 1))
    part = fit_length(interferer, length, "loop", offset)
    return Rendered(mix(speech, part, drawn.snr_db, rir=rir, rate_hz=rate_hz), offset)


@dataclass
class SceneSet:
    """A folder of scenes: manifest lines and the challenge's list."""

    out: Path
    before: list[Utterance]  # lines of scenes that were there already
    listed: list[Line]
    lines: list[Line]

    @staticmethod
    def open(out: Path, append: bool) -> SceneSet:
        """Empty, or with the scenes that lie in `out`."""
        manifest = out / "SCENES.jsonl"
        if not append or not manifest.is_file():
            return SceneSet(out, [], [], [])
        listed = _scenes_listed(out / "scenes.json")
        return SceneSet(out, list(read_manifest(manifest)), listed, [])

    def first_number(self, first: int) -> int:
        """The number of the first new scene: `first`, counted on from those that are there.

        Scenes that were left out have numbers too, so that the last is looked for as well.
        """
        number = first + len(self.before)
        for line in self.before:
            match = SCENE_FILE.fullmatch(line.audio_filepath.name)
            if match is not None:
                number = max(number, int(match[1]) + 1)
        return number

    def drop_old_lists(self) -> None:
        """Delete the lists of scenes that are about to be written over.

        They would name new sound with old texts where the run is broken off.
        """
        if not self.before:
            for name in LISTS:
                (self.out / name).unlink(missing_ok=True)

    def write(self) -> None:
        """SCENES.jsonl and scenes.json; ValueError where there is no scene."""
        if not self.lines:
            raise ValueError("expected at least one scene; none could be made")
        manifest, challenge_list = (self.out / name for name in LISTS)
        listed = json.dumps(self.listed, indent=1, ensure_ascii=False) + "\n"
        write_text(challenge_list, listed)
        write_manifest(manifest, [*self.before, *self.lines])

    def summary(self, kinds: Sequence[Kind], failed: int) -> str:
        """How many scenes of which kind, in a line."""
        counts = Counter(line["interferer"] for line in self.lines)
        parts = ", ".join(f"{counts[kind.name]} {kind.name}" for kind in kinds)
        line = f"{self.out / 'SCENES.jsonl'}: {len(self.lines)} scenes ({parts}), {failed} left out"
        if self.before:
            line += f", beside {len(self.before)} that were there"
        return line


def _scenes_listed(path: Path) -> list[Line]:
    """The scenes of scenes.json; ValueError where it holds no list."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected a list of scenes (--append); {error}") from error
    if not isinstance(listed, list):
        raise ValueError(f"{path}: expected a list of scenes (--append); got {str(listed)[:40]}")
    return listed


def make_scenes(arguments: argparse.Namespace) -> int:
    """All scenes; returns the number of those that could not be made.

    Raises:
        ValueError: where there is nothing to mix with, no scene could be made, or the scenes would
            be written over what they are made from.
    """
    out = Path(arguments.out)
    refuse_sources(out, arguments)
    sources = read_sources(arguments)
    speech = read_speech(arguments.speech)
    refuse_own_scenes(out, [*speech, *sources.utterances])
    scenes = SceneSet.open(out, arguments.append)
    folder = scenes.out / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    first_number = scenes.first_number(arguments.first)
    failed = 0
    for number, utterance in enumerate(copies_of(speech, arguments.copies), first_number):
        name = f"S{number:05d}"
        try:
            drawn = draw_scene(arguments.seed, number, sources, utterance)
            rendered = render(utterance, drawn, arguments.rate_hz)
        except ValueError as error:  # AudioError too
            print(f"left out: {name} ({utterance.where}): {error}", file=sys.stderr)
            failed += 1
            continue
        if not scenes.lines:
            scenes.drop_old_lists()
        files = write_sounds(folder, name, rendered.mixture, arguments.rate_hz)
        video = link_video(utterance, folder / f"{name}_silent")
        if video is not None:
            files["video_filepath"] = video
        scenes.lines.append(scene_line(utterance, drawn, rendered.mixture, files, arguments))
        scenes.listed.append(avse_scene(name, utterance, drawn, rendered, arguments.dataset))
    scenes.write()
    print(scenes.summary(sources.kinds, failed))
    return failed


def read_sources(arguments: argparse.Namespace) -> Sources:
    """Noises, babble, talkers, the own voice and rooms; ValueError where nothing is heard."""
    noises = read_kind(NOISE, "label", arguments.noise, arguments.noise_snr_db)
    if noises is not None:
        noises = only_classes(noises, arguments.labels, arguments.not_labels)
    elif arguments.labels or arguments.not_labels:
        raise ValueError("expected --noise beside --labels and --not-labels, which choose of it")
    talkers = read_kind(TALKER, "speaker", arguments.talkers, arguments.talker_snr_db)
    babble = read_kind(BABBLE, "label", arguments.babble, arguments.talker_snr_db)
    own = read_kind(OWN, "speaker", arguments.own, arguments.talker_snr_db)
    kinds = [kind for kind in (noises, talkers, babble, own) if kind is not None]
    if not kinds:
        raise ValueError(
            "expected --noise, --babble, --talkers or --own, something to be heard beside the "
            "speech"
        )
    rirs = read_manifest(arguments.rooms).utterances if arguments.rooms else ()
    return Sources(kinds, rirs, arguments.room_share)


def read_speech(paths: Sequence[str]) -> list[Utterance]:
    """The utterances of some manifests."""
    speech: list[Utterance] = []
    for path in paths:
        speech.extend(read_manifest(path))
    return speech


def copies_of(speech: Sequence[Utterance], copies: int) -> Iterator[Utterance]:
    """Every utterance as often as there shall be scenes of it."""
    for utterance in speech:
        for _ in range(copies):
            yield utterance


def refuse_sources(out: Path, arguments: argparse.Namespace) -> None:
    """ValueError where a list of `out` is a manifest that is read, or `out` can be no folder."""
    _prepare.expect_folder(out / "scenes")
    sources = [*arguments.speech, *arguments.noise, *arguments.talkers]
    sources += [*arguments.own, *arguments.babble]
    if arguments.rooms:
        sources.append(arguments.rooms)
    lists = [out / name for name in LISTS]
    _prepare.refuse_read(lists, [Path(source) for source in sources])


def refuse_own_scenes(out: Path, utterances: Iterable[Utterance]) -> None:
    """ValueError where scenes of `out` are what new ones are made from, and written over."""
    folder = (out / "scenes").resolve()
    for utterance in utterances:
        for path in _prepare.files_of(utterance):
            if SCENE_FILE.fullmatch(path.name) and path.parent.resolve() == folder:
                raise ValueError(
                    f"--out {out}: expected another folder than the one that is read; "
                    f"{utterance.where} names {path}, which scenes would be written over"
                )


def read_kind(name: str, field: str, paths: Sequence[str], span_db: Sequence[float]) -> Kind | None:
    """The recordings of some manifests by their field; None without a manifest."""
    if not paths:
        return None
    classes: dict[str, list[Utterance]] = {}
    for path in paths:
        for utterance in read_manifest(path):
            label = getattr(utterance, field) or utterance.id
            classes.setdefault(label, []).append(utterance)
    if not classes:
        raise ValueError(f"expected recordings of some {name}; {', '.join(paths)} have none")
    low_db, high_db = span_db
    return Kind(name, classes, low_db, high_db)


def only_classes(kind: Kind, only: Iterable[str] | None, without: Iterable[str] | None) -> Kind:
    """A kind with some of its classes; ValueError where one is not there, or none is left."""
    unwanted = set(without or ())
    wanted = set(kind.classes) if only is None else set(only)
    unknown = sorted((wanted | unwanted) - set(kind.classes))
    wanted -= unwanted
    classes = {label: kind.classes[label] for label in kind.classes if label in wanted}
    if unknown or not classes:
        missing = ", ".join(unknown) or f"some {kind.name}"
        known = ", ".join(sorted(kind.classes))
        raise ValueError(f"expected recordings of {missing}; the manifests have {known}")
    return Kind(kind.name, classes, kind.low_db, kind.high_db)


def write_sounds(folder: Path, name: str, mixture: Mixture, rate_hz: int) -> dict[str, Path]:
    """The three files of a scene, by the names that its line gives them."""
    parts = {
        "audio_filepath": ("mixed", mixture.noisy),
        "target_filepath": ("target", mixture.clean),
        "interferer_filepath": ("interferer", mixture.interferer),
    }
    files = {}
    for key, (part, samples) in parts.items():
        files[key] = folder / f"{name}_{part}.wav"
        files[key].unlink(missing_ok=True)  # a link would be followed, and what it names lost
        soundfile.write(files[key], samples.numpy(), rate_hz, subtype="PCM_16")
    return files


def scene_line(
    utterance: Utterance,
    drawn: Drawn,
    mixture: Mixture,
    files: Mapping[str, Path],
    arguments: argparse.Namespace,
) -> Line:
    """A scene as a line of SCENES.jsonl; what is not known is not in it."""
    line: Line = {
        "audio_filepath": files["audio_filepath"],
        "target_filepath": files["target_filepath"],
        "interferer_filepath": files["interferer_filepath"],
        "duration": round(mixture.noisy.shape[0] / arguments.rate_hz, _prepare.DURATION_DIGITS),
        "text": utterance.text,
        "speaker": utterance.speaker,
        "source": utterance.id,
        "snr_db": drawn.snr_db,
        "interferer": drawn.kind.name,
        "room": drawn.rir and drawn.rir.id,
        "noise": drawn.noise,
        "interferer_source": drawn.recording.id,
        "scale": round(mixture.scale, SCALE_DIGITS),
        "speech_fingerprint": fingerprint(utterance.audio_filepath),
        "interferer_fingerprint": fingerprint(drawn.recording.audio_filepath),
        "video_filepath": files.get("video_filepath"),
        "part": arguments.part,
    }
    if arguments.seen is not None:
        line["seen"] = arguments.seen == ALL_SEEN or drawn.noise in arguments.seen
    return {key: value for key, value in line.items() if value is not None}


def avse_scene(
    name: str, utterance: Utterance, drawn: Drawn, rendered: Rendered, dataset: str
) -> Line:
    """A scene as the AVSE challenge lists it; times and offsets in samples."""
    samples = rendered.mixture.noisy.shape[0]
    return {
        "dataset": dataset,
        "scene": name,
        "duration": samples,
        "target": {"name": utterance.id, "time_start": 0, "time_end": samples},
        "interferer": {
            "type": "speech" if drawn.kind.name in VOICES else "noise",
            "name": drawn.recording.id,
            "offset": rendered.offset,
            "time_start": 0,
            "time_end": samples,
        },
        "SNR": drawn.snr_db,
    }


def link_video(utterance: Utterance, stem: Path) -> Path | None:
    """A link to the video, or a copy where links cannot be made; None where there is none."""
    video = utterance.video_filepath
    if video is None or not video.is_file():
        return None
    link = stem.with_suffix(video.suffix)
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(os.path.relpath(video.resolve(), link.parent.resolve()))
    except OSError:
        shutil.copyfile(video, link)
    return link


def command_line() -> argparse.ArgumentParser:
    """The flags of `ctcasr prepare scenes`."""
    parser = _prepare.command_parser("scenes", __doc__)
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
    parser.add_argument(
        "--own",
        nargs="+",
        default=[],
        help="manifests of sentences that compete with others of the same `speaker`",
    )
    parser.add_argument(
        "--babble",
        nargs="+",
        default=[],
        help="manifests of many talkers at once, at the SNR of talkers",
    )
    parser.add_argument("--labels", nargs="+", help="only these classes of noise")
    parser.add_argument("--not-labels", nargs="+", help="all classes of noise but these")
    parser.add_argument(
        "--seen",
        nargs="*",
        help="classes used in training (talker: competing talkers), or all; the others are unseen",
    )
    snr_db = _prepare.within(float, -MOST_SNR_DB, MOST_SNR_DB)
    parser.add_argument(
        "--noise-snr-db", type=snr_db, nargs=2, default=(-10.0, 10.0), metavar=("LOW", "HIGH")
    )
    parser.add_argument(
        "--talker-snr-db", type=snr_db, nargs=2, default=(-15.0, 5.0), metavar=("LOW", "HIGH")
    )
    parser.add_argument("--rooms", help="manifest of room responses")
    parser.add_argument(
        "--room-share",
        type=_prepare.within(float, 0.0, 1.0),
        default=0.5,
        help="share of the scenes in a room, where there are any (default 0.5)",
    )
    parser.add_argument(
        "--copies",
        type=_prepare.within(int, 1, MOST_SCENES),
        default=1,
        help="scenes of each utterance (default 1)",
    )
    parser.add_argument("--dataset", default="valid", help="name of the part in scenes.json")
    parser.add_argument(
        "--part",
        choices=("dev", "test"),
        help="dev: these scenes choose in `ctcasr score-enhanced`, and are not scored",
    )
    number = _prepare.within(int, 0, MOST_SCENES)
    parser.add_argument("--first", type=number, default=1, help="number of the first scene")
    parser.add_argument(
        "--append",
        action="store_true",
        help="keep the scenes that OUT holds; the new ones are numbered after them",
    )
    rate_hz = _prepare.within(int, LEAST_RATE_HZ, MOST_RATE_HZ)
    parser.add_argument("--rate-hz", type=rate_hz, default=16000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="folder to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare scenes`; ValueError or OSError where that fails."""
    arguments = command_line().parse_args(argv)
    _expect_rising("--noise-snr-db", arguments.noise_snr_db)
    _expect_rising("--talker-snr-db", arguments.talker_snr_db)
    make_scenes(arguments)
    return 0


def _expect_rising(flag: str, span_db: Sequence[float]) -> None:
    """ValueError for the range of an SNR that ends below its beginning."""
    low_db, high_db = span_db
    if low_db > high_db:
        raise ValueError(
            f"{flag}: expected LOW <= HIGH; got {low_db:g} {high_db:g}: write the lower one first"
        )
