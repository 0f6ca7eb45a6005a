"""Train a CTC recogniser on any manifest, and score it once on another.

python recipes/recognise.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/mine
torchrun --nproc-per-node 4 recipes/recognise.py ...       (the same run by several processes)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ctcasr.batch import Utterance
from ctcasr.commands.progress import Lines
from ctcasr.ctc import StarSchedule
from ctcasr.data import Corpus, Loader, read_manifest, read_sounds
from ctcasr.data.plan import Order
from ctcasr.front import Augment, SpecAugment, snr_range
from ctcasr.recognise import Objective, Recognise, evaluate, word_rarity
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.recognise.word_models_fit import add_word_models
from ctcasr.run_cli import run_cli, run_training
from ctcasr.show.results import draw_results
from ctcasr.text import Tokenizer, make_tokenizer, measure_coverage, tokenizer_from_state
from ctcasr.text.tokenizer import Digits
from ctcasr.train import (
    Parts,
    RunSettings,
    World,
    option,
    parse,
    pick_device,
    read_manifests,
    read_numbers,
    read_split,
    required,
    saved_run,
)
from ctcasr.word_times import believed_texts, spliced_corpus, splicing_told

DRAWN = 3  # utterances of the dev part that are drawn at the end


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a CTC recogniser from scratch."""

    train: str = required("manifest to learn from")
    valid: str = option("", "manifest to score once, at the end")
    dev: str = option("", "manifest that selects the best; empty: a part of train is held out")
    dev_share: float = option(0.1, "share of train that is held out")
    out: str = option("runs/recognise", "folder of the run")
    net: str = option("lifted", "a preset or .toml file; words behind change it: 'lifted layers=4'")
    text: str = option(
        "english38",
        "english38, english29, pieces:N (N SentencePieces learnt from train), or words:N (words "
        "that train says N times or more as symbols, the others by their characters)",
    )
    strict: bool = option(False, "refuse characters outside the alphabet instead of reporting them")
    digits: Digits = option("keep", "keep digits, or spell them as words")
    batch_size: int = option(16, "utterances in a batch, all processes together; 0: any number")
    batch_seconds: float = option(0.0, "seconds of padded sound in a batch likewise; 0: any number")
    order: Order = option("sortagrad", "sortagrad (first epoch by length), shuffle or sorted")
    augment: bool = option(True, "SpecAugment")
    masks: str = option(
        "2,0.05,2,0.15", "of SpecAugment: masks over time, their widest share, and over frequency"
    )
    warp: float = option(0.0, "largest relative change of the length of the vocal tract (0.1)")
    speeds: str = option("0.9,1,1.1", "speeds at which recordings are learnt from")
    splice: float = option(0.7, "share of utterances that give way to their talker's words, mixed")
    states: float = option(0.0, "weight of what an aligner hears, told frame by frame (0.3)")
    noise: str = option("", "manifests of noises, heard with half of the utterances at 0 to 20 dB")
    rooms: str = option("", "manifests of room responses, heard with a third of the utterances")
    hiss: str = option("15,45", "SNR (dB) of noise made for half of the utterances, or none")
    augment_from: float = option(2.0, "epochs before masks, noises and rooms begin")
    consistency: float = option(0.0, "CR-CTC: weight of two copies agreeing (0.2); twice the time")
    consistency_ramp: float = option(0.0, "epochs in which that weight rises from nothing")
    doubt: bool = option(False, "learn the words that models of words believe, where others stand")
    star: str = option(
        "", "costs (nats) of leaving wrong words: LABEL,GAP[,WORD@FROM], each N or FIRST:LAST"
    )


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    s = parse(Settings, argv, prog="recognise")
    with World.joined(s.device) as world:
        parts = prepare(s, world)
        run_training("recognise", s, parts, world)
    if world.rank == 0:
        assert parts.dev is not None
        report(s, parts.train.corpus, parts.dev.corpus.utterances)


def prepare(s: Settings, world: World) -> Parts:
    """The task, the batches to learn from, and those that select."""
    saved = saved_run(s, world)
    torch.manual_seed(s.seed)
    train, dev = read_split(s.train, s.dev, s.dev_share, s.seed)
    texts = [utterance.text or "" for utterance in train]
    if saved:  # pieces that were learnt from another manifest mean other texts
        tokenizer = tokenizer_from_state(saved["tokenizer"])
    else:
        tokenizer = make_tokenizer(s.text, texts, s.strict, s.digits)
    report_texts([*train, *dev], tokenizer)
    print(f"{len(train)} utterances to learn from, {len(dev)} to select by")
    spec = read_spec(s.net)
    net = build(spec, tokenizer.size)
    augment = augmentation(s, net.rate_hz)
    if s.doubt:
        believed = believed_texts([*train, *dev], tokenizer, net.rate_hz)
        print(believed)
        train, dev = believed.parted(len(train))
    print(splicing_told(train, s.splice))
    corpus = spliced_corpus(
        train,
        tokenizer,
        net.rate_hz,
        s.splice,
        read_numbers("speeds", s.speeds),
        net.frame_s,
        saved,
        states=s.states > 0,
        report=Lines("finding the words, hearings") if world.rank == 0 else None,
    )
    net.learn_states(corpus.states)
    how: dict[str, Any] = {"batch_seconds": s.batch_seconds or None, "seed": s.seed, **world.share}
    train_loader = Loader(corpus, batch_size=s.batch_size or None, order=s.order, **how)
    dev_corpus = Corpus(dev, tokenizer, net.rate_hz)
    dev_loader = Loader(dev_corpus, batch_size=2 * s.batch_size or None, order="sorted", **how)
    epoch_steps = s.steps_per_epoch(len(train_loader))
    star = StarSchedule.parse(s.star, s.epochs * epoch_steps) if s.star else None
    rarity = word_rarity(texts, tokenizer) if star else None
    ramp = round(s.consistency_ramp * epoch_steps)
    task = Recognise(
        net,
        tokenizer,
        spec_to(replace(spec, states=corpus.states)),
        augment,
        round(s.augment_from * epoch_steps),
        Objective(s.consistency, star=star, consistency_steps=ramp, rarity=rarity, states=s.states),
    )
    return Parts(task, train_loader, dev_loader, [*train, *dev, *read_manifests(s.noise, s.rooms)])


def report_texts(lines: Sequence[Utterance], tokenizer: Tokenizer) -> None:
    """Say what the alphabet cannot write; UncoveredText if it is strict, not in mid-epoch."""
    for line in lines:
        tokenizer.encode(line.text or "")
    print(measure_coverage([(line.where, line.text or "") for line in lines], tokenizer))


def augmentation(s: Settings, rate_hz: int) -> Augment | SpecAugment | None:
    """What is done to features, and to recordings: noises and rooms."""
    masks = SpecAugment.parse(s.masks, s.warp) if s.augment else None
    hiss_db = snr_range(s.hiss)
    if not (s.noise or s.rooms or hiss_db):
        return masks
    sounds = read_sounds(s.noise, rate_hz), read_sounds(s.rooms, rate_hz)
    return Augment(*sounds, hiss_db=hiss_db, rate_hz=rate_hz, masks=masks)


def report(s: Settings, train: Corpus | Sequence[Utterance], dev: Sequence[Utterance]) -> None:
    """Times and confidences of words, pictures, and the score on the valid part."""
    out = Path(s.out)
    best = add_word_models(out / "best.pt", train, dev, pick_device(s.device))
    print(f"checkpoint: {out / 'best.pt'}; {best.word_models}")
    print("plots:", draw_results(out, best, dev[:DRAWN]))
    if s.valid:
        result = evaluate(best, read_manifest(s.valid).utterances)
        print(f"valid: {result}; details in {result.write(out / 'valid')}")
        result.refuse_nothing()


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
