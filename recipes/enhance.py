"""Train an enhancer on speech with interferers mixed in anew each epoch (or on scenes that lie on disk), and score it once on others.

python recipes/enhance.py --train TRAIN.jsonl --noise NOISE.jsonl --valid SCENES.jsonl --out runs/clearer
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ctcasr.batch import Utterance
from ctcasr.data import (
    Corpus,
    Interferers,
    Loader,
    MixtureCorpus,
    SceneCorpus,
    read_audio,
    read_manifest,
    split_dev,
)
from ctcasr.data.mixture import Frames
from ctcasr.data.provenance import fingerprint, provenance_of
from ctcasr.enhance import Enhance, Listener
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import EnhanceSpec, enhancer_to, read_enhancer
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.run_cli import run_cli
from ctcasr.show import draw_run, watch
from ctcasr.train import TrainConfig, fit, load_compatible, option, parse, to_toml, write_settings


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Train a speech enhancer."""

    train: str = option("", "manifest of clean speech, or of scenes (lines with target_filepath)")
    valid: str = option("", "scenes to score once, at the end (lines with target_filepath)")
    noise: str = option(
        "",
        "manifests of noises with labels, with commas between; the labels named by --unseen are left out",
    )
    talkers: str = option("", "manifest of other talkers, to compete with the speech")
    rooms: str = option("", "manifest of room responses, in which half of the scenes are heard")
    unseen: str = option("", "labels of noises that are kept for the score, with commas between")
    dev: str = option(
        "", "manifest that selects the best checkpoint; empty: a part of train is held out"
    )
    dev_share: float = option(0.1, "share of train that is held out")
    out: str = option("runs/enhance", "folder of the run")
    net: str = option("mask", "a preset, or a spec as a .toml file")
    batch_size: int = option(16, "scenes in a batch")
    listener: str = option(
        "",
        "checkpoint of a recogniser whose CTC loss is learnt from too; it must not judge the result",
    )
    listening: float = option(
        1.0, "weight of the listener's loss (nats per token) against SI-SNR (dB)"
    )
    workers: int = option(0, "processes that read ahead")
    init: str = option("", "checkpoint to start from: all that fits is loaded, the rest is named")
    resume: bool = option(False, "go on with the run in --out")
    lr: float = option(1e-3, "highest learning rate")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    run(parse(Settings, argv, prog="enhance"))


def run(s: Settings, frames: Frames | None = None, video: str = "fixed") -> None:
    """Train, select, score; with `frames` the network sees, in the way that `video` names."""
    out = Path(s.out)
    spec = read_enhancer(s.net).with_video(video)
    torch.manual_seed(s.seed)
    listener = Listener(Recogniser.load_checkpoint(s.listener)) if s.listener else None
    lines = read_manifest(s.train).utterances
    train, dev = (
        (lines, read_manifest(s.dev).utterances) if s.dev else split_dev(lines, s.dev_share, s.seed)
    )
    print(f"{len(train)} utterances to learn from, {len(dev)} to select by")
    loader = Loader(
        corpus(s, train, spec, listener, frames),
        batch_size=s.batch_size,
        seed=s.seed,
        workers=s.workers,
    )
    dev_loader = Loader(
        corpus(s, dev, spec, listener, frames), batch_size=s.batch_size, order="sorted", seed=s.seed
    )

    model = build_enhancer(spec)
    if s.init:
        print("\n".join(["not loaded:", *load_compatible(model, s.init)]))
    notes = {
        "recipe": "enhance",
        "train": Path(s.train).name,
        "utterances": len(train),
        "settings": to_toml(s),
        "heard": provenance_of([*train, *dev, *others(loader.corpus)]),
        "listener": fingerprint(s.listener) if s.listener else None,
    }
    task = Enhance(model, enhancer_to(spec), listener, s.listening, notes)
    write_settings(s, out)
    for _ in watch(fit(task, loader, dev_loader, out=out, config=s, resume=s.resume)):
        pass
    print(f"checkpoint: {out / 'best.pt'}")
    try:
        print("plots:", *draw_run(out))
    except ImportError as error:
        print("plots:", error)
    if s.valid:
        score(s, task, spec, frames)


def corpus(
    s: Settings,
    lines: Sequence[Utterance],
    spec: EnhanceSpec,
    listener: Listener | None,
    frames: Frames | None,
) -> Corpus:
    """Scenes as they lie, or mixed anew in each epoch."""
    tokenizer = listener.tokenizer if listener else None
    if all("target_filepath" in line.extra for line in lines):
        return SceneCorpus(lines, tokenizer, spec.rate_hz, frames)
    kinds, unseen = [], set(s.unseen.split(","))
    if s.noise:
        noises = [u for path in s.noise.split(",") for u in read_manifest(path)]
        kinds.append(Interferers.noises([u for u in noises if (u.label or u.id) not in unseen]))
    if s.talkers:
        kinds.append(Interferers.talkers(read_manifest(s.talkers).utterances))
    rooms = (
        [read_audio(u, spec.rate_hz) for u in read_manifest(s.rooms).utterances] if s.rooms else []
    )
    return MixtureCorpus(lines, tokenizer, spec.rate_hz, kinds, rooms, frames=frames)


def others(corpus: Corpus) -> list[Utterance]:
    """What is mixed to the speech."""
    kinds = corpus.interferers if isinstance(corpus, MixtureCorpus) else ()
    return [u for kind in kinds for group in kind.classes.values() for u in group]


def score(s: Settings, task: Enhance, spec: EnhanceSpec, frames: Frames | None) -> None:
    """SI-SDR of the best checkpoint on the valid scenes."""
    load_compatible(task.network, str(Path(s.out) / "best.pt"))
    scenes = read_manifest(s.valid).utterances
    loader = Loader(
        SceneCorpus(scenes, None, spec.rate_hz, frames), batch_size=s.batch_size, order="sorted"
    )
    task.listening, device = 0.0, next(iter(task.parameters())).device
    metrics = task.check(batch.to(device) for batch in loader.epoch(0) if batch is not None).metrics
    (Path(s.out) / "valid.json").write_text(
        json.dumps({**metrics, "skipped": len(loader.skipped)}, indent=1) + "\n", encoding="utf-8"
    )
    print(
        "valid: SI-SDR {si_sdr_input:.2f} -> {si_sdr:.2f} dB (median improvement {si_sdr_improvement_median:.2f} dB, {worse} of {files} "
        "worse)".format(**metrics)
        + f", {len(loader.skipped)} skipped"
    )


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
