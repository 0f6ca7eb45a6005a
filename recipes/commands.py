"""Type your sentences, get a recogniser that understands them and refuses everything else.

eSpeak NG says the sentences while training, in many voices; recordings of your own help.

python recipes/commands.py --sentences lamp.jsgf --hours 10 --out runs/lamp
ctcasr transcribe runs/lamp/best.pt hello.wav
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from ctcasr.data import (
    Corpus,
    Loader,
    SentenceTexts,
    SpokenCorpus,
    read_manifest,
    read_sounds,
    take_minutes,
)
from ctcasr.data.skipped import skip_warning
from ctcasr.data.synth import split_voices, voices_of
from ctcasr.front import Augment, SpecAugment
from ctcasr.recognise import Recognise, Recogniser, evaluate
from ctcasr.recognise.commands_fit import (
    add_times,
    join_real,
    pieces_of,
    samples_of,
    teach_commands,
)
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli, run_training
from ctcasr.text import Alphabet, Tokenizer, load_grammar
from ctcasr.train import (
    Parts,
    RunSettings,
    World,
    option,
    parse,
    read_manifests,
    required,
    saved_run,
)

TAUGHT = 400  # utterances of each kind from which the threshold is learnt
TIMED = 100  # from which times of words are; and with other words, of which the summary tells
RATES_WPM = (120, 280)
NOISE_S = 3  # of each noise, that shall be refused


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a recogniser of given sentences on synthetic speech."""

    sentences: str = required("text file: a sentence a line, or a grammar in JSGF")
    out: str = option("runs/commands", "folder of the run")
    hours: float = option(10.0, "hours of synthetic speech in all; every epoch says new sentences")
    epochs: int = option(10, "checks on the way, each after hours / epochs of speech")
    engines: str = option("espeak", "who says them, each as often: espeak,flite,pico,piper")
    real: str = option("", "manifests of recordings of some of the sentences")
    others: str = option("", "manifests of others who say anything: as long as --real, or once")
    real_minutes: float = option(0.0, "so much of it is learnt from, evenly chosen; 0: all")
    real_share: float = option(0.4, "share of what is heard that is real, if any")
    foreign_share: float = option(0.2, "share of synthetic speech that says anything else")
    false_acceptance: float = option(0.2, "share of anything else that may be accepted, at most")
    dev_utterances: int = option(100, "by other voices; they select, where nothing is real")
    noise: str = option("", "manifests of noises to add to synthetic speech, 0 to 20 dB below")
    rooms: str = option("", "manifests of room responses in which some of it sounds")
    net: str = option("default", "a preset, or a spec as a .toml file; words behind change it")
    batch_size: int = option(16, "utterances in a batch, all processes together")
    valid: str = option("", "manifest of real recordings of sentences, scored once at the end")
    foreign: str = option("", "manifests of recordings of anything else: how many are accepted?")


def main(argv: list[str] | None = None) -> None:
    """Train, teach what to refuse, score."""
    s = parse(Settings, argv, prog="commands")
    with World.joined(s.device) as world:
        parts = prepare(s, world)
        run_training("commands", s, parts, world)
    if world.rank == 0:
        finish(s)


def prepare(s: Settings, world: World) -> Parts:
    """The task, the speech to learn from, and that of other voices, which selects."""
    saved_run(s, world)  # refuses a folder of another run
    torch.manual_seed(s.seed)
    spec = read_spec(s.net)
    tokenizer = Alphabet.english38()
    net = build(spec, tokenizer.size)
    rate_hz = net.rate_hz
    train_voices, dev_voices = voices_of(s.engines, s.seed)
    train: Corpus = spoken_corpus(s, tokenizer, rate_hz, train_voices, s.foreign_share)
    dev: Corpus = spoken_corpus(s, tokenizer, rate_hz, dev_voices, utterances=s.dev_utterances)
    sounds = (read_sounds(manifest, rate_hz) for manifest in (s.noise, s.rooms))
    train.transform = Augment(*sounds).recording  # what is real has noise and rooms of its own
    print(f"{train.seconds / 3600:.2f} hours an epoch by {len(set(train_voices))} voices")
    own = take_minutes(read_manifests(s.real), s.real_minutes, s.seed)
    others = read_manifests(s.others)
    if own or others:
        train, dev = join_real(train, own, others, tokenizer, s.real_share, net.frame_s, s.seed)
        real, times = train.corpora[1], train.repeats[1]
        print(f"{real.seconds / 60:.1f} minutes of real speech, heard {times} times an epoch")
    size = s.batch_size
    train_loader = Loader(train, batch_size=size, order="shuffle", seed=s.seed, **world.share)
    dev_loader = Loader(dev, batch_size=size, order="sorted", seed=s.seed + 1, **world.share)
    steps = s.steps_per_epoch(len(train_loader))
    task = Recognise(net, tokenizer, spec_to(spec), SpecAugment(), augment_from=steps)
    heard = [*own, *others, *read_manifests(s.noise, s.rooms)]
    return Parts(task, train_loader, dev_loader, heard, statistics=dev_loader)


def spoken_corpus(
    s: Settings,
    tokenizer: Tokenizer,
    rate_hz: int,
    voices: Sequence[str],
    foreign_share: float = 0.0,
    near_share: float = 0.0,
    utterances: int = 0,
) -> SpokenCorpus:
    """What voices say: an epoch's share of the hours, or so many utterances, ever the same."""
    grammar = load_grammar(s.sentences, tokenizer)
    lengths = grammar.lengths(Random(s.seed))
    corpus = SpokenCorpus(
        SentenceTexts(grammar.sentence, foreign_share, near_share),
        tokenizer,
        rate_hz,
        s.hours / s.epochs,
        voices,
        (min(lengths), max(lengths)),
        fixed=utterances > 0,
        rates_wpm=RATES_WPM,
    )
    if utterances:
        corpus.utterances = corpus.utterances[:utterances]
    return corpus


def finish(s: Settings) -> None:
    """Teach the checkpoint its sentences and what it refuses; score it on real recordings."""
    out, best = Path(s.out), Path(s.out) / "best.pt"
    tokenizer = Alphabet.english38()
    rate_hz = read_spec(s.net).front.rate_hz
    _, voices = split_voices(s.seed)
    wanted = spoken_corpus(s, tokenizer, rate_hz, voices, utterances=TAUGHT)
    foreign = spoken_corpus(s, tokenizer, rate_hz, voices, 1.0, utterances=TAUGHT)
    near = spoken_corpus(s, tokenizer, rate_hz, voices, 1.0, 1.0, utterances=TIMED)
    said, refused = samples_of(wanted, TAUGHT), samples_of(foreign, TAUGHT)
    refused += pieces_of(read_sounds(s.noise, rate_hz), NOISE_S * rate_hz)
    like = samples_of(near, TIMED)
    print(teach_commands(best, Path(s.sentences), said, refused, s.false_acceptance, like))
    add_times(best, wanted, TIMED)
    recogniser = Recogniser.load_checkpoint(best)
    if s.valid:
        result = evaluate(recogniser, read_manifest(s.valid).utterances)
        refusals = sum(not row.hypothesis.text for row in result.rows)
        print(f"valid: {result}, {refusals} refused; details in {result.write(out / 'valid')}")
        result.refuse_nothing()
    for manifest in filter(None, s.foreign.split(",")):
        heard = evaluate(recogniser, [line.with_text("") for line in read_manifest(manifest)])
        accepted = sum(bool(row.hypothesis.text) for row in heard.rows)
        skipped = f"{len(heard.skipped)} skipped{skip_warning(heard.skipped, len(heard.rows))}"
        print(
            f"foreign: {manifest}: {accepted} of {len(heard.rows)} recordings accepted, {skipped}"
        )
    print(f"checkpoint: {best}; ctcasr transcribe {best} RECORDING.wav")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
