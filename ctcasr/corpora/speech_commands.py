"""Speech Commands as it is unpacked to manifests: ctcasr prepare speech-commands speech_commands_v0.02 --out words --classes 12

Writes OUT/train.jsonl, valid.jsonl and test.jsonl by the collection's own validation_list.txt and testing_list.txt (Warden 2018,
arXiv 1804.03209). 35 classes: every word. 12: ten words, _unknown_ (as many clips as a word has on average) and _silence_, pieces of
one second of the background noises, of which each part has its own stretch. Nothing is overwritten.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora._repair import Report, repair
from ctcasr.data import AudioError, audio_info, write_manifest

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
_NOISE = "_background_noise_"
# The stretch of each background noise that a part may hear, as shares of its length.
_STRETCHES = {"train": (0.0, 0.8), "valid": (0.8, 0.9), "test": (0.9, 1.0)}


def read(root: Path) -> dict[str, list[Utterance]]:
    """Every word of every part; ValueError where the lists are missing, or name files that are not there."""
    home: dict[str, str] = {}
    for name, part in (("validation_list.txt", "valid"), ("testing_list.txt", "test")):
        if not (root / name).is_file():
            raise ValueError(
                f"{root / name}: expected the collection's own list; there is none. Is this the unpacked archive?"
            )
        home.update(dict.fromkeys((root / name).read_text(encoding="utf-8").split(), part))
    parts: dict[str, list[Utterance]] = {"train": [], "valid": [], "test": []}
    for path in sorted(root.glob("*/*.wav")):
        where, word = path.relative_to(root).as_posix(), path.parent.name
        if word != _NOISE:
            parts[home.pop(where, "train")].append(
                Utterance(
                    path,
                    text=word.upper(),
                    speaker=path.stem.split("_nohash_")[0],
                    label=word,
                    where=where,
                )
            )
    if home:
        first = next(iter(home))
        raise ValueError(
            f"{root}: the lists name {len(home)} files that are not there, as {first}; was the archive unpacked in full?"
        )
    return parts


def twelve(utterances: Sequence[Utterance], part: str, root: Path, seed: int) -> list[Utterance]:
    """Ten words, and of other words and of silence as many clips as a word has on average."""
    words = [u for u in utterances if u.label in WORDS]
    others = [u for u in utterances if u.label not in WORDS]
    draw = random.Random(f"{seed} {part}")
    count = round(len(words) / len(WORDS))
    unknown = sorted(draw.sample(others, min(count, len(others))), key=lambda u: u.where)
    relabelled = [
        Utterance(
            u.audio_filepath, text=u.text, speaker=u.speaker, label="_unknown_", where=u.where
        )
        for u in unknown
    ]
    return [*words, *relabelled, *_silence(root, part, count, draw)]


def _silence(root: Path, part: str, count: int, draw: random.Random) -> list[Utterance]:
    """`count` pieces of one second, as evenly from the background noises as their number allows."""
    noises = sorted((root / _NOISE).glob("*.wav"))
    first, last = _STRETCHES[part]
    pieces = []
    for index in range(count if noises else 0):
        path = noises[index % len(noises)]
        length_s = audio_info(path).duration_s
        offset = round(
            draw.uniform(first * length_s, max(first * length_s, last * length_s - 1.0)), 3
        )
        pieces.append(
            Utterance(
                path,
                duration=1.0,
                offset=offset,
                text="",
                label="_silence_",
                where=f"{path.name}@{offset}",
            )
        )
    return pieces


def main(argv: Sequence[str] | None = None) -> int:
    """Read, repair, write, report; exit status 1 and one clear line where that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "source", type=Path, help="the unpacked archive (validation_list.txt lies in it)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for train.jsonl, valid.jsonl, test.jsonl and report.tsv",
    )
    parser.add_argument("--classes", type=int, choices=(12, 35), default=12)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the choice of unknown words and silence (default 0)"
    )
    a = parser.parse_args(argv)
    report = Report()
    try:
        files = {part: a.out / f"{part}.jsonl" for part in _STRETCHES}
        if taken := [
            str(path) for path in [*files.values(), a.out / "report.tsv"] if path.exists()
        ]:
            raise ValueError(
                f"{', '.join(taken)}: there already; nothing is overwritten: name another --out, or delete them"
            )
        for part, utterances in read(a.source).items():
            chosen = utterances if a.classes == 35 else twelve(utterances, part, a.source, a.seed)
            kept = repair(
                chosen, a.out / "mended", report, keep_doubles=True
            )  # the lists are used as they are
            speakers = len({u.speaker for u in kept} - {None})
            write_manifest(files[part], kept)
            print(
                f"{files[part]}: {len(kept)} clips of {len({u.label for u in kept})} classes, {speakers} speakers"
            )
        report.write(a.out / "report.tsv")
    except (ValueError, OSError, AudioError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for what, count in sorted(report.counts.items()):
        print(f"  {count:6d}  {what}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
