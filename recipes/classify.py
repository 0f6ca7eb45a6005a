"""Train a classifier of sounds or words on any manifest with labels, and score it on clips that neither trained nor selected it.

python recipes/classify.py --train TRAIN.jsonl --valid VALID.jsonl --net kws_bcresnet --out runs/words
python recipes/classify.py --train fold1.jsonl,fold2.jsonl,fold3.jsonl --folds own --net sound_small --out runs/sounds
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import torch

from ctcasr import data
from ctcasr.batch import Utterance
from ctcasr.classify import Classify, evaluate_classes, read_round
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.front import SpecAugment
from ctcasr.net import Pruner, Schedule
from ctcasr.scoring.confusion import Confusion, pooled
from ctcasr.show import draw_classes, watch
from ctcasr.train import TrainConfig, fit, load_compatible, option, parse, to_toml, write_settings


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Train a classifier of sounds or words."""

    train: str = option("", "manifest to learn from, or several with commas between")
    valid: str = option(
        "", "manifest to score at the end, or several; with folds they are folded with the others"
    )
    out: str = option("runs/classify", "folder of the run")
    net: str = option("kws_cnn", "a preset, or a spec as a .toml file")
    init: str = option("", "checkpoint to start from: all that fits is loaded, the rest is named")
    folds: str = option(
        "", "own (each line's fold), or a number of folds over speakers; empty: from train to valid"
    )
    classes: str = option("", "only these classes, with commas between")
    pairs: bool = option(False, "every two of the classes by themselves, scores pooled")
    dev_share: float = option(
        0.0, "share of train that selects the best epoch; 0: the last epoch is taken"
    )
    pad: str = option("silence", "what fills clips that are too short: silence or loop")
    batch_size: int = option(25, "clips in a batch")
    augment: bool = option(True, "shift, gain, noise, speed and SpecAugment")
    masks: bool = option(True, "SpecAugment among them")
    noise: str = option("", "folder of recordings that are mixed in while training")
    speeds: str = option("0.9,1,1.1", "speeds at which clips are learnt from")
    prune: float = option(0.0, "share of the weights that is pruned away; 0: none")
    listen: bool = option(
        True, "look for the same sound in train and test, not only for the same recording"
    )
    resume: bool = option(
        False, "go on with the run in --out; rounds that are done are read, not repeated"
    )
    epochs: int = option(80, "passes over the training data")
    lr: float = option(1e-2, "highest learning rate")
    schedule: str = option(
        "linear",
        "onecycle, cosine, linear, exponential, plateau, drop, constant or range (a range test)",
    )
    warmup: float = option(0.0, "share of training in which the learning rate rises")
    floor: float = option(
        1e-3,
        "onecycle, cosine, linear: share of lr to end at; 0: fall towards nothing, no lower than 0.0001",
    )


def main(argv: list[str] | None = None) -> None:
    """Train round by round, score, sum up."""
    s = parse(Settings, argv, prog="classify")
    out, tallies = Path(s.out), dict[str, Confusion]()
    for fold in rounds(s):
        folder = out / quote(fold.name, safe=" ")  # a class may be called "../a" or "a/b"
        tallies[fold.name] = (read_round(folder, vars(s)) if s.resume else None) or train(
            s, fold, folder
        )
    summary = pooled(tallies).as_json()
    (out / "scores.json").write_text(
        json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(
        f"all: {summary['correct']} of {summary['utterances']} right ({100 * summary['accuracy_low']:.1f} to "
        f"{100 * summary['accuracy_high']:.1f} %), mean of rounds {summary['mean']} +- {summary['deviation']}; {out / 'scores.json'}"
    )


def rounds(s: Settings) -> list[data.Fold]:
    """What is trained and tested, round by round; LeakError where they share recordings."""

    def lines(manifests: str) -> list[Utterance]:
        # Without a choice of classes, one that was never learnt is told as a skip.
        found = [u for path in manifests.split(",") if path for u in data.read_manifest(path)]
        return [u for u in found if u.label in s.classes.split(",")] if s.classes else found

    found = data.rounds(lines(s.train), lines(s.valid), s.folds, s.seed)
    for fold in found:
        data.classes_of(fold.train)
        data.refuse_leaks(fold.train, fold.test, s.listen)
    return [pair for fold in found for pair in data.word_pairs(fold)] if s.pairs else found


def train(s: Settings, fold: data.Fold, out: Path) -> Confusion:
    """One run: learn, select (by a part of train, if at all), score once."""
    torch.manual_seed(s.seed)
    spec, classes = read_classifier(s.net), data.classes_of(fold.train)
    labels = {name: index for index, name in enumerate(classes)}
    learn, dev = (
        data.split_dev(fold.train, s.dev_share, s.seed) if s.dev_share else (fold.train, ())
    )
    data.count_classes(learn, classes)
    rate, clip = spec.front.rate_hz, data.Clip(spec.samples, s.pad)  # type: ignore[arg-type]
    jitter = data.Jitter(
        spec.samples, clip.pad, noises=data.read_noises(Path(s.noise), rate) if s.noise else ()
    )
    speeds = [float(speed) for speed in s.speeds.split(",")] if s.augment else [1.0]
    corpus = data.Corpus(learn, None, rate, jitter if s.augment else clip, speeds, labels=labels)
    loader = data.Loader(corpus, batch_size=s.batch_size, seed=s.seed)
    dev_loader = (
        data.Loader(
            data.Corpus(dev, None, rate, clip, labels=labels), batch_size=64, order="manifest"
        )
        if dev
        else None
    )

    model = build_classifier(spec, len(classes))
    if s.init:
        print("\n".join(["not loaded:", *load_compatible(model, s.init)]))
    resume = s.resume and (out / "last.pt").is_file()
    if model.front.needs_statistics and not resume:
        model.front.fit(batch.audio for batch in loader.epoch(0) if batch is not None)
        data.count_classes(learn, classes, loader.skipped)
    pruner = Pruner(model.body, Schedule(final=s.prune)) if s.prune else None
    task = Classify(
        model,
        classes,
        classifier_to(spec),
        SpecAugment() if s.augment and s.masks else None,
        pruner,
        clip.pad,
        {
            "recipe": "classify",
            "train": Path(s.train).name,
            "round": fold.name,
            "settings": to_toml(s),
        },
    )
    write_settings(s, out)
    for _ in watch(fit(task, loader, dev_loader, out=out, config=s, resume=resume)):
        pass
    result = evaluate_classes(Classifier.load(out / "best.pt"), fold.test)
    draw_classes(out, result.tally)
    print(f"{fold.name or s.valid}: {result}", flush=True)
    result.write(out / "test")  # at last: who finds it knows that the round is done
    return result.tally


if __name__ == "__main__":
    main()
