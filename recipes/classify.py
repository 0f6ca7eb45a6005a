"""Train a classifier of sounds or words on any manifest with labels, and score it on others.

python recipes/classify.py --train TRAIN.jsonl --valid VALID.jsonl --net kws_bcresnet \\
    --out runs/words
python recipes/classify.py --train fold1.jsonl,fold2.jsonl,fold3.jsonl --folds own \\
    --net sound_small --out runs/sounds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import torch

from ctcasr import data
from ctcasr.batch import Utterance
from ctcasr.classify import Classify, evaluate_classes, read_round
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to, read_classifier
from ctcasr.data.clip import Pad
from ctcasr.front import SpecAugment
from ctcasr.net import Pruner, Schedule
from ctcasr.run_cli import run_cli, run_training
from ctcasr.scoring.confusion import Confusion, pooled
from ctcasr.show import draw_classes
from ctcasr.train import Parts, RunSettings, option, parse, read_manifests, required, saved_run
from ctcasr.train.resuming import refuse_changed
from ctcasr.train.settings import read_numbers
from ctcasr.train.world import World, pick_device


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a classifier of sounds or words."""

    train: str = required("manifest to learn from, or several with commas between")
    valid: str = option("", "manifests to score at the end; with folds: folded with the others")
    out: str = option("runs/classify", "folder of the run")
    net: str = option("kws_cnn", "a preset, or a spec as a .toml file")
    folds: str = option("", "own (each line's fold), or a number of folds over speakers, if any")
    classes: str = option("", "only these classes, with commas between")
    pairs: bool = option(False, "every two of the classes by themselves, scores pooled")
    dev_share: float = option(0.0, "share of train that selects the best epoch; 0: the last epoch")
    pad: Pad = option("silence", "what fills clips that are too short: silence or loop")
    batch_size: int = option(25, "clips in a batch, all processes together")
    augment: bool = option(True, "shift, gain, noise, speed and SpecAugment")
    masks: bool = option(True, "SpecAugment among them")
    noise: str = option("", "folder of recordings that are mixed in while training")
    speeds: str = option("0.9,1,1.1", "speeds at which clips are learnt from")
    prune: float = option(0.0, "share of the weights that is pruned away; 0: none")
    listen: bool = option(True, "look for the same sound in train and test, not only the same file")
    resume: bool = option(False, "go on with the run in --out; rounds that are done are only read")
    workers: int = option(0, "processes that read ahead; -1: as many as a measurement asks for")
    epochs: int = option(80, "passes over the training data")
    lr: float = option(1e-2, "highest learning rate")
    schedule: str = option(
        "linear",
        "onecycle, cosine, linear, exponential, plateau, drop, constant or range (a range test)",
    )
    warmup: float = option(0.0, "share of training in which the learning rate rises")
    floor: float = option(
        1e-3,
        "onecycle, cosine, linear: share of lr to end at; "
        "0: fall towards nothing, no lower than 0.0001",
    )


def main(argv: list[str] | None = None) -> None:
    """Train round by round, score, sum up."""
    s = parse(Settings, argv, prog="classify")
    out = Path(s.out)
    tallies: dict[str, Confusion] = {}
    with World.joined(s.device) as world:
        for fold in rounds(s):
            # A class may be called "../a" or "a/b".
            folder = out / quote(fold.name, safe=" ")
            done = read_round(folder) if s.resume and world.rank == 0 else None
            if done:
                refuse_changed(s, folder)
            done = world.broadcast_object(done)
            tallies[fold.name] = done or train(s, fold, folder, world)
    if world.rank == 0 and any(tally.total for tally in tallies.values()):
        summary = pooled(tallies)
        print(f"all: {summary}; {summary.write(out / 'scores.json')}")


def rounds(s: Settings) -> list[data.Fold]:
    """What is trained and tested, round by round; LeakError where they share recordings."""
    lines = read_manifests(s.train)
    test_lines = read_manifests(s.valid)
    if s.classes:  # without this choice, a class that was never learnt is told as a skip
        wanted = data.chosen_classes(s.classes, [*lines, *test_lines])
        lines = [line for line in lines if line.label in wanted]
        test_lines = [line for line in test_lines if line.label in wanted]
    folds = data.rounds(lines, test_lines, s.folds, s.seed)
    for fold in folds:
        data.classes_of(fold.train)
        data.refuse_leaks(fold.train, fold.test, s.listen)
    if not s.pairs:
        return folds
    return [pair for fold in folds for pair in data.word_pairs(fold)]


def train(s: Settings, fold: data.Fold, folder: Path, world: World) -> Confusion:
    """One round: learn, select (by a part of train, if at all), score once."""
    resume = world.broadcast_object(s.resume and (folder / "last.pt").is_file())
    # A round that was broken off before anything was saved begins anew.
    own = replace(s, out=str(folder), resume=resume, overwrite=s.overwrite or s.resume)
    parts = prepare(own, fold, world)
    run_training("classify", own, parts, world)
    tally = Confusion.of(())
    if world.rank == 0 and fold.test:
        tally = score(own, fold)
    return world.broadcast_object(tally)


def prepare(s: Settings, fold: data.Fold, world: World) -> Parts:
    """The task, the clips to learn from, and those that select, if any."""
    saved_run(s, world)  # refused where the folder holds another run
    torch.manual_seed(s.seed)
    spec = read_classifier(s.net)
    classes = data.classes_of(fold.train)
    train_lines = fold.train
    dev_loader = None
    if s.dev_share:
        train_lines, dev_lines = data.split_dev(fold.train, s.dev_share, s.seed)
        dev_corpus = corpus_of(dev_lines, classes, spec, replace(s, augment=False))
        dev_loader = data.Loader(dev_corpus, batch_size=64, order="manifest", **world.share)
    data.count_classes(train_lines, classes)
    corpus = corpus_of(train_lines, classes, spec, s)
    train_loader = data.Loader(corpus, batch_size=s.batch_size, seed=s.seed, **world.share)
    model = build_classifier(spec, len(classes))
    if model.front.needs_statistics and not s.init and not s.resume:
        every = data.Loader(corpus, batch_size=s.batch_size, seed=s.seed)
        model.front.fit(batch.audio for batch in every.epoch(0) if batch is not None)
        data.count_classes(train_lines, classes, every.skipped)  # now that all were read
    task = Classify(
        model,
        classes,
        classifier_to(spec),
        SpecAugment() if s.augment and s.masks else None,
        Pruner(model.body, Schedule(final=s.prune)) if s.prune else None,
        s.pad,
    )
    return Parts(task, train_loader, dev_loader, recordings=fold.train, notes={"round": fold.name})


def corpus_of(
    lines: Sequence[Utterance], classes: Sequence[str], spec: ClassifierSpec, s: Settings
) -> data.Corpus:
    """Clips of one length with the numbers of their classes, changed each time if `s.augment`."""
    labels = {name: index for index, name in enumerate(classes)}
    rate_hz = spec.front.rate_hz
    if not s.augment:
        clip = data.Clip(spec.samples, s.pad)
        return data.Corpus(lines, None, rate_hz, clip, labels=labels)
    noises = data.read_noises(Path(s.noise), rate_hz) if s.noise else ()
    jitter = data.Jitter(spec.samples, s.pad, noises=noises)
    speeds = read_numbers("speeds", s.speeds)
    return data.Corpus(lines, None, rate_hz, jitter, speeds, labels=labels)


def score(s: Settings, fold: data.Fold) -> Confusion:
    """The best checkpoint of a round on its test clips."""
    out = Path(s.out)
    best = Classifier.load(out / "best.pt", pick_device(s.device))
    result = evaluate_classes(best, fold.test)
    draw_classes(out, result.tally)
    print(f"{fold.name or s.valid}: {result}", flush=True)
    result.write(out / "test")  # at last: who finds it knows that the round is done
    result.refuse_nothing()
    return result.tally


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
