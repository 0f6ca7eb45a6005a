"""Two recognisers that judge enhanced speech: R1 trained on clean speech, R2 on noisy speech, neither on enhanced speech.

python recipes/judges.py --train TRAIN.jsonl --noise NOISE.jsonl --out runs/judges

Both learn from OUT/train.jsonl and select by OUT/dev.jsonl, which an enhancer and its weight may be chosen by, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from recognise import Settings as RecogniseSettings
from recognise import prepare

from ctcasr.data import read_manifest, split_dev, write_manifest
from ctcasr.data.mixture import Interferers, MixtureCorpus
from ctcasr.data.provenance import provenance_of
from ctcasr.run_cli import run_cli
from ctcasr.show import watch
from ctcasr.train import fit, option, parse, write_settings


@dataclass(frozen=True)
class Settings(RecogniseSettings):
    """Train R1 on clean and R2 on noisy speech, from one manifest."""

    noise: str = option("", "manifests of noises for R2, with commas between; `label` is the class")
    without: str = option(
        "",
        "classes of noise that R2 shall not hear, as rain,wind: those that the comparison calls unseen",
    )
    talkers: str = option("", "manifest of competing talkers for R2 (empty: none)")
    low_db: float = option(-5.0, "lowest SNR that R2 hears")
    high_db: float = option(20.0, "highest SNR that R2 hears")
    only: str = option("", "r1 or r2 (empty: both)")
    out: str = option("runs/judges", "folder of the runs r1 and r2")


def main(argv: list[str] | None = None) -> None:
    """Train both; each run folder is as recognise.py leaves it."""
    s = parse(Settings, argv, prog="judges")
    if s.only not in ("", "r1", "r2"):
        raise ValueError(f"only: expected r1, r2 or nothing; got {s.only!r}")
    if not s.dev:
        for name, part in zip(
            ("train", "dev"),
            split_dev(read_manifest(s.train).utterances, s.dev_share, s.seed),
            strict=True,
        ):
            write_manifest(Path(s.out) / f"{name}.jsonl", part)
        s = replace(s, train=f"{s.out}/train.jsonl", dev=f"{s.out}/dev.jsonl")  # type: ignore[call-arg]
    for name in ("r1", "r2") if not s.only else (s.only,):
        # Another seed for each: two judges shall not share their first weights.
        train(
            replace(s, out=str(Path(s.out) / name), seed=s.seed + (name == "r2")),  # type: ignore[call-arg]
            noisy=name == "r2",
        )


def train(s: Settings, noisy: bool) -> None:
    """One recogniser, on the speech as it is or with interferers mixed in anew each epoch; also the part that selects."""
    task, loader, dev_loader = prepare(s)
    if noisy:
        kinds = interferers(s)
        for one in (loader, dev_loader):
            corpus = one.corpus
            one.corpus = MixtureCorpus(
                corpus.utterances, corpus.tokenizer, corpus.rate_hz, kinds, speeds=corpus.speeds
            )
        task.notes |= {
            "recipe": "judges",
            "heard": provenance_of(
                [
                    *loader.corpus.utterances,
                    *dev_loader.corpus.utterances,
                    *(u for kind in kinds for group in kind.classes.values() for u in group),
                ]
            ),
        }
    out = Path(s.out)
    write_settings(s, out)
    for _ in watch(fit(task, loader, dev_loader, out=out, config=s, resume=s.resume)):
        pass
    print(f"{'R2, noisy' if noisy else 'R1, clean'}: {out / 'best.pt'}")


def interferers(s: Settings) -> list[Interferers]:
    """What R2 hears beside the speech."""
    without = set(filter(None, s.without.split(",")))
    noises = [
        u
        for path in filter(None, s.noise.split(","))
        for u in read_manifest(path)
        if (u.label or u.id) not in without
    ]
    kinds = [Interferers.noises(noises, s.low_db, s.high_db)] if noises else []
    kinds += (
        [Interferers.talkers(read_manifest(s.talkers).utterances, s.low_db, s.high_db)]
        if s.talkers
        else []
    )
    if not kinds:
        raise ValueError("expected --noise or --talkers for R2, or --only r1")
    return kinds


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
