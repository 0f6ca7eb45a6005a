"""Two recognisers that judge enhanced speech: R1 trained on clean speech, R2 on noisy speech.

Neither has heard enhanced speech. Both learn from OUT/train.jsonl and select by OUT/dev.jsonl,
which an enhancer and its weight may be chosen by, too.

python recipes/judges.py --train TRAIN.jsonl --noise NOISE.jsonl --out runs/judges
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recognise import Settings as RecogniseSettings
from recognise import prepare

from ctcasr.data import read_manifest, split_dev, without_classes, write_manifest
from ctcasr.data.mixture import Interferers, MixtureCorpus
from ctcasr.run_cli import run_cli, run_training
from ctcasr.train import World, option, parse, read_manifests, saved_run


@dataclass(frozen=True)
class Settings(RecogniseSettings):
    """Train R1 on clean and R2 on noisy speech, from one manifest."""

    noise: str = option("", "manifests of noises for R2, with commas between; `label` is the class")
    without: str = option(
        "",
        "classes of noise that R2 shall not hear, as rain,wind: "
        "those that the comparison calls unseen",
    )
    talkers: str = option("", "manifest of competing talkers for R2 (empty: none)")
    low_db: float = option(-5.0, "lowest SNR that R2 hears")
    high_db: float = option(20.0, "highest SNR that R2 hears")
    only: str = option("", "r1 or r2 (empty: both)")
    # R1 hears the speech as it is, and R2 noise that the comparison knows: neither hears any other.
    hiss: str = option("none", "lowest and highest SNR (dB) of noise made for half of it, or none")
    net: str = option("default", "a preset, or a .toml file; words behind change it")
    out: str = option("runs/judges", "folder of the runs r1 and r2")


def main(argv: list[str] | None = None) -> None:
    """Train both; each run folder is as recognise.py leaves it."""
    s = parse(Settings, argv, prog="judges")
    if s.only not in ("", "r1", "r2"):
        raise ValueError(f"only: expected r1, r2 or nothing; got {s.only!r}")
    if s.valid:
        raise ValueError("--valid: judges are scored by `ctcasr score-enhanced`: leave it out")
    names = [s.only] if s.only else ["r1", "r2"]
    with World.joined(s.device) as world:
        for name in names:
            saved_run(own_settings(s, name), world)  # refused before anything is written
        if not s.dev:
            s = with_own_parts(s, world)
        for name in names:
            train(own_settings(s, name), name, world)


def own_settings(s: Settings, name: str) -> Settings:
    """The settings of one judge: another seed for each, so that no first weights are shared."""
    changes: dict[str, Any] = {"out": str(Path(s.out) / name), "seed": s.seed + (name == "r2")}
    return replace(s, **changes)


def with_own_parts(s: Settings, world: World) -> Settings:
    """The settings with train and dev parts of the one manifest, written beside the runs."""
    out = Path(s.out)
    if world.rank == 0:
        train, dev = split_dev(read_manifest(s.train).utterances, s.dev_share, s.seed)
        write_manifest(out / "train.jsonl", train)
        write_manifest(out / "dev.jsonl", dev)
    world.barrier()
    own: dict[str, Any] = {"train": str(out / "train.jsonl"), "dev": str(out / "dev.jsonl")}
    return replace(s, **own)


def train(s: Settings, name: str, world: World) -> None:
    """One recogniser: R1 hears the speech as it is, R2 with interferers, anew in each epoch."""
    # Noise reaches R2 as a mixture, with the classes that are left out; not as augmentation.
    parts = prepare(replace(s, noise=""), world)
    if name == "r2":
        kinds = interferers(s)
        for loader in filter(None, (parts.train, parts.dev)):
            loader.corpus = MixtureCorpus.over(loader.corpus, kinds)
    run_training("judges", s, parts, world)
    print(f"{'R2, noisy' if name == 'r2' else 'R1, clean'}: {Path(s.out) / 'best.pt'}")


def interferers(s: Settings) -> list[Interferers]:
    """What R2 hears beside the speech.

    Raises:
        ValueError: where there is nothing, or a class in --without of which there is no noise.
    """
    noises = without_classes(read_manifests(s.noise), s.without, "--without")
    kinds = []
    if noises:
        kinds.append(Interferers.noises(noises, s.low_db, s.high_db))
    if s.talkers:
        talkers = read_manifests(s.talkers)
        kinds.append(Interferers.talkers(talkers, s.low_db, s.high_db))
    if not kinds:
        raise ValueError("expected --noise or --talkers for R2, or --only r1")
    return kinds


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
