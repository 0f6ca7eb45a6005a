"""Speech Commands as it is unpacked to manifests.

ctcasr prepare speech-commands speech_commands_v0.02 --out words --classes 12

Writes OUT/train.jsonl, valid.jsonl and test.jsonl by the collection's own validation_list.txt and
testing_list.txt (Warden 2018, arXiv 1804.03209). 35 classes: every word. 12: ten words, _unknown_
(as many clips as a word has on average) and _silence_, pieces of one second of the background
noises, of which each part has its own stretch. Nothing is overwritten.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.corpora._repair import Report, repair
from ctcasr.data import audio_info, write_manifest

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
UNKNOWN = "_unknown_"
SILENCE = "_silence_"
NOISE_FOLDER = "_background_noise_"
SILENCE_S = 1.0  # length of a piece, as that of the words
ALL_CLASSES = 35
FEW_CLASSES = 12
LISTS = {"validation_list.txt": "valid", "testing_list.txt": "test"}
# The stretch of each background noise that a part may hear, as shares of its length.
STRETCHES = {"train": (0.0, 0.8), "valid": (0.8, 0.9), "test": (0.9, 1.0)}


def read(root: Path) -> dict[str, list[Utterance]]:
    """Every word of every part: train, valid and test.

    Raises:
        ValueError: where the lists are missing, or name files that are not there.
    """
    part_of = read_lists(root)
    parts: dict[str, list[Utterance]] = {part: [] for part in STRETCHES}
    for path in sorted(root.glob("*/[!.]*.wav")):
        word = path.parent.name
        if word == NOISE_FOLDER:
            continue
        where = path.relative_to(root).as_posix()
        utterance = Utterance(
            path,
            text=word.upper(),
            speaker=path.stem.split("_nohash_")[0],
            label=word,
            where=where,
        )
        parts[part_of.pop(where, "train")].append(utterance)
    if part_of:
        raise ValueError(
            f"{root}: the lists name {len(part_of)} files that are not there, as "
            f"{next(iter(part_of))}; was the archive unpacked in full?"
        )
    return parts


def read_lists(root: Path) -> dict[str, str]:
    """The part that each listed file belongs to; ValueError where a list is missing."""
    part_of: dict[str, str] = {}
    for name, part in LISTS.items():
        path = root / name
        if not path.is_file():
            raise ValueError(
                f"{path}: expected the collection's own list; there is none. Is this the unpacked "
                "archive?"
            )
        part_of.update(dict.fromkeys(_prepare.text_of(path).split(), part))
    return part_of


def twelve(utterances: Sequence[Utterance], part: str, root: Path, seed: int) -> list[Utterance]:
    """Ten words, and of other words and of silence as many clips as a word has on average."""
    words = [utterance for utterance in utterances if utterance.label in WORDS]
    others = [utterance for utterance in utterances if utterance.label not in WORDS]
    rng = random.Random(f"{seed} {part}")
    count = round(len(words) / len(WORDS))
    sample = rng.sample(others, min(count, len(others)))
    unknown = []
    for utterance in sorted(sample, key=lambda utterance: utterance.where):
        unknown.append(replace(utterance, label=UNKNOWN))
    return [*words, *unknown, *silence(root, part, count, rng)]


def silence(root: Path, part: str, count: int, rng: random.Random) -> list[Utterance]:
    """`count` pieces of one second, as evenly from the background noises as they allow."""
    noises = sorted((root / NOISE_FOLDER).glob("*.wav"))
    if not noises:
        return []
    first, last = STRETCHES[part]
    pieces = []
    for index in range(count):
        path = noises[index % len(noises)]
        length_s = audio_info(path).duration_s
        first_s = first * length_s
        last_s = max(first_s, last * length_s - SILENCE_S)
        offset_s = round(rng.uniform(first_s, last_s), 3)
        piece = Utterance(
            path,
            duration=SILENCE_S,
            offset=offset_s,
            text="",
            label=SILENCE,
            where=f"{path.name}@{offset_s}",
        )
        pieces.append(piece)
    return pieces


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare speech-commands`; ValueError (AudioError too) or OSError otherwise."""
    parser = _prepare.command_parser("speech-commands", __doc__)
    parser.add_argument(
        "source", type=Path, help="the unpacked archive (validation_list.txt lies in it)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for train.jsonl, valid.jsonl, test.jsonl and report.tsv",
    )
    parser.add_argument("--classes", type=int, choices=(FEW_CLASSES, ALL_CLASSES), default=12)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the choice of unknown words and silence (default 0)"
    )
    arguments = parser.parse_args(argv)
    source: Path = arguments.source
    out: Path = arguments.out
    _prepare.expect_folder(out)
    manifests = {part: out / f"{part}.jsonl" for part in STRETCHES}
    mended = out / "mended"
    _prepare.refuse_existing([*manifests.values(), out / "report.tsv", mended])
    report = Report()
    for part, utterances in read(source).items():
        if arguments.classes == FEW_CLASSES:
            utterances = twelve(utterances, part, source, arguments.seed)
        # The lists are used as they are: doubles stay.
        usable = repair(utterances, mended, report, keep_doubles=True)
        write_manifest(manifests[part], usable)
        classes = {utterance.label for utterance in usable}
        speakers = {utterance.speaker for utterance in usable} - {None}
        print(
            f"{manifests[part]}: {len(usable)} clips of {len(classes)} classes, "
            f"{len(speakers)} speakers"
        )
    report.write(out / "report.tsv")
    print("\n".join(report.summary()))
    return 0
