"""What lips are worth to an enhancer: the whole road from manifests to one table, resumable.

python tools/study/eyes.py OUT [--data DATA] [--seeds 0,1,2] [--published] [--run]

Prints the commands that are still to be done, in order, and with --run does them. One lip reader
lends its frozen trunk to `av_mask`, which is trained once for each seed with videos that fail at
times; it begins as the mask that only hears, which has the same body. Each is heard on the same
scenes, the videos shown as they are, not at all, those of another sentence, 120 ms late, early, and
frozen. tools/study/eyes_table.py makes the table.

With --published, `avse_lstm8` instead: its trunk reads lips first and is frozen, pieces of 1.2 s,
trained and scored with every frame, with all but the last at zero, with none, and with those of
another sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.data import read_manifest, write_manifest

ROOT = Path(__file__).parents[2]
SHOWN = {  # condition -> how `ctcasr enhance --show` shows the videos
    "true": "fixed",
    "zeroed": "zeroed",
    "shuffled": "shuffled",
    "late": "late:0.12",
    "early": "late:-0.12",
    "frozen": "frozen",
}
HEARD = "heard"  # the mask without eyes
PUBLISHED = ("fixed", "as_published", "zeroed", "shuffled")
UNSEEN_NOISES = "dude_miaowing,running_tap,sb_noise4"
BABBLE_S = 60.0  # of the recording; learnt from its first half, scored with the second
EPOCHS = 24
EPOCHS_PUBLISHED = 10
PIECE_S = 1.2
PIECES_AT_S = (0.4, 1.4)  # of sentences of three seconds, which begin and end with silence
Words = list[object]


@dataclass(frozen=True)
class Step:
    """One command by a name of its own."""

    name: str
    words: Sequence[object]

    @property
    def command(self) -> list[str]:
        """As it is started."""
        return [sys.executable, *map(str, self.words)]


@dataclass(frozen=True)
class Road:
    """The steps from the recordings in `data` to what lies in `out`."""

    data: Path
    out: Path
    seeds: Sequence[int]
    epochs: int  # of the enhancers
    learning: Words = field(default_factory=list)  # flags that name what is learnt from

    @property
    def scenes(self) -> Path:
        """The list of the scenes."""
        return self.out / "scenes" / "SCENES.jsonl"

    def eyes(self) -> Iterator[Step]:
        """av_mask beside the mask that only hears."""
        yield self.judges()
        yield self.lips("lips", "lips", 200)
        yield self.mixed([])
        conditions = []
        for seed in self.seeds:
            name = f"{HEARD}.{seed}"
            net: Words = ["--net", "mask mask.hidden=128", "--seed", seed]
            yield self.trained(name, "enhance", [*self.learning, *self.rate(), *net])
            yield self.enhanced(name, name, [])
            conditions.append(name)
            seen = f"av_mask.{seed}"
            trunk: Words = ["--lips", self.out / "lips" / "best.pt", "--frozen", "--spoil"]
            trunk += ["--ears", self.out / f"{HEARD}.{seed}" / "best.pt"]
            trunk += ["--cache", self.out / "mouths", "--seed", seed]
            yield self.trained(seen, "enhance_av", [*self.learning, *self.rate(), *trunk])
            for condition, mode in SHOWN.items():
                name = f"{condition}.{seed}"
                yield self.enhanced(seen, name, ["--show", mode])
                conditions.append(name)
        yield self.scored(conditions)

    def published(self) -> Iterator[Step]:
        """avse_lstm8, shown its videos in four ways."""
        yield self.judges()
        yield self.lips("lips_published", "lips lips.convs=1 lips.features=256", 48)
        yield self.mixed(["--noise-snr-db", 0, 0, "--talker-snr-db", 0, 0])
        conditions = []
        for seed in self.seeds:
            for mode in PUBLISHED:
                name = f"{mode}.{seed}"
                how: Words = ["--net", "avse_lstm8 dualpath.pictures=mouth", "--video", mode]
                how += ["--lips", self.out / "lips_published" / "best.pt", "--frozen"]
                how += ["--cache", self.out / "mouths", "--seed", seed]
                yield self.trained(name, "enhance_av", [*self.learning, *self.rate(), *how])
                yield self.enhanced(name, name, [])
                conditions.append(name)
        yield self.scored(conditions)

    def judges(self) -> Step:
        """R1 and R2, who also cut the sentences into those to learn from and to select by."""
        how: Words = ["--train", self.data / "grid_s1" / "train.jsonl"]
        how += ["--noise", self.data / "noise" / "all.jsonl", "--without", UNSEEN_NOISES]
        how += ["--talkers", self.data / "librispeech_samples" / "train.jsonl"]
        return self.trained("judges", "judges", how)

    def lips(self, name: str, net: str, epochs: int) -> Step:
        """A lip reader."""
        parts = self.out / "judges"
        how: Words = ["--train", parts / "train.jsonl", "--dev", parts / "dev.jsonl"]
        how += ["--valid", self.data / "grid_s1" / "valid.jsonl", "--net", net]
        how += ["--epochs", epochs, "--mouths", self.out / "mouths"]
        return self.trained(name, "lips", how)

    def mixed(self, levels: Words) -> Step:
        """Scenes whose interferers nobody has learnt from."""
        speech = self.data / "grid_s1" / "valid.jsonl"
        words: Words = ["prepare", "scenes", "--speech", speech, "--own", speech, "--talkers"]
        words += [self.data / "librispeech_samples" / "valid.jsonl"]
        words += [self.data / "an4" / "valid.jsonl", "--babble", self.out / "babble_scored.jsonl"]
        words += ["--noise", self.data / "noise" / "all.jsonl", "--labels"]
        words += [*UNSEEN_NOISES.split(","), *levels, "--copies", 6, "--seed", 1]
        return self.called("scenes", [*words, "--out", self.out / "scenes"])

    def rate(self) -> Words:
        """How the masks are trained."""
        how: Words = ["--optimiser", "adamw", "--schedule", "onecycle", "--warmup", 0.1]
        return [*how, "--lr", 2e-3, "--batch-size", 8, "--epochs", self.epochs]

    def enhanced(self, enhancer: str, name: str, shown: Words) -> Step:
        """All scenes through an enhancer."""
        folder = self.out / "enhanced" / name
        words: Words = ["enhance", self.out / enhancer / "best.pt", self.scenes, folder]
        return self.called(f"enhanced.{name}", [*words, *shown])

    def scored(self, conditions: Sequence[str]) -> Step:
        """Everybody's files, heard by both judges."""
        words: Words = ["score-enhanced", self.scenes, "--out", self.out / "score"]
        words += ["--dev-share", 0]  # everything is scored, and no noise put back
        for name in conditions:
            words += ["--enhanced", f"{name}={self.out / 'enhanced' / name}"]
        for judge in ("r1", "r2"):
            checkpoint = self.out / "judges" / judge / "best.pt"
            words += ["--recogniser", f"{judge.upper()}={checkpoint}"]
        return self.called("score", words)

    def trained(self, name: str, recipe: str, how: Words) -> Step:
        """A recipe, which goes on where it was interrupted."""
        run = self.out / name
        resume = ["--resume"] if any(run.rglob("last.pt")) else []
        return Step(name, [f"recipes/{recipe}.py", *how, "--out", run, *resume])

    def called(self, name: str, words: Words) -> Step:
        """A command of the library."""
        return Step(name, ["-m", "ctcasr.cli", *words])


def learning_flags(road: Road, published: bool) -> Words:
    """What is learnt from: the judges' sentences, whole or in pieces, and what is heard beside."""
    parts = road.out / "judges"
    train = road.out / "pieces.jsonl" if published else parts / "train.jsonl"
    flags: Words = ["--train", train, "--dev", parts / "dev.jsonl"]
    noises = f"{road.data / 'noise' / 'all.jsonl'},{road.out / 'babble_learnt.jsonl'}"
    flags += ["--noise", noises, "--unseen", UNSEEN_NOISES]
    talkers = [road.data / name / "train.jsonl" for name in ("librispeech_samples", "an4")]
    flags += ["--talkers", ",".join(map(str, talkers)), "--own", parts / "train.jsonl"]
    return flags


def write_babble(data: Path, out: Path) -> None:
    """Manifests of the halves of the recorded babble: to learn from, and to be scored."""
    sound = data / "eccc" / "maskers" / "BAB4.flac"
    out.mkdir(parents=True, exist_ok=True)
    for name, offset in (("learnt", 0.0), ("scored", BABBLE_S / 2)):
        line = {"audio_filepath": str(sound), "offset": offset, "duration": BABBLE_S / 2}
        text = json.dumps({**line, "label": "babble"}) + "\n"
        (out / f"babble_{name}.jsonl").write_text(text, encoding="utf-8")


def write_pieces(out: Path) -> None:
    """Pieces of the sentences that are learnt from, where these are known by now."""
    sentences = out / "judges" / "train.jsonl"
    if not sentences.is_file():
        return
    pieces = []
    for line in read_manifest(sentences):
        for start_s in PIECES_AT_S:
            piece = replace(line, offset=line.offset + start_s, duration=PIECE_S)
            pieces.append(piece)
    write_manifest(out / "pieces.jsonl", pieces)


def work(road: Road, steps: Iterable[Step], run: bool) -> None:
    """Print what is to be done, and do it where that is asked for."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = road.out / "done"
    done.mkdir(parents=True, exist_ok=True)
    for step in steps:
        mark = done / step.name
        if mark.exists():
            continue
        print(shlex.join(step.command), flush=True)
        if run:
            subprocess.run(step.command, cwd=ROOT, env=environment, check=True)
            mark.touch()
            write_pieces(road.out)


def main() -> None:
    """Print the road, or walk it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    default = Path(os.environ.get("CTCASR_DATA") or ROOT / ".." / "shared" / "data")
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--seeds", default="0,1,2")
    told = f"of the enhancers (default: {EPOCHS}, with --published {EPOCHS_PUBLISHED})"
    parser.add_argument("--epochs", type=int, default=0, help=told)
    parser.add_argument("--published", action="store_true", help="avse_lstm8 instead of av_mask")
    parser.add_argument("--run", action="store_true", help="do it")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    epochs = arguments.epochs or (EPOCHS_PUBLISHED if arguments.published else EPOCHS)
    road = Road(arguments.data.resolve(), arguments.out.resolve(), seeds, epochs)
    road = replace(road, learning=learning_flags(road, arguments.published))
    write_babble(road.data, road.out)
    write_pieces(road.out)
    work(road, road.published() if arguments.published else road.eyes(), arguments.run)


if __name__ == "__main__":
    main()
