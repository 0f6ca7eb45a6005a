"""The kinds of defects that are planted, each with the cause that has to be named first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any

import torch
from torch import Tensor, nn
from trial import RATE_HZ, Item, Trial

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss, greedy
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import Augmentation, SpeechModel
from ctcasr.seq import Seq
from ctcasr.specs import NetSpec
from ctcasr.task import Loss, LossRefused
from ctcasr.text import Alphabet

Plant = Callable[[Trial, Any], None]
LEARNT = ("fsdd", "grid", "commands")  # what these small networks learn in so short a time
SEVERAL = ("fsdd", "grid", "an4", "libri")  # texts of several words
RELATIVE = ("default",)  # hears levels relative to the utterance
ABSOLUTE = ("streaming",)  # normalises by the statistics of the training part


@dataclass(frozen=True)
class Kind:
    """A kind of defect: its name, causes that are right, and how it gets into a training."""

    name: str
    slugs: tuple[str, ...]
    plant: Plant
    values: Sequence[Any] = (None,)
    count: int = 2
    corpora: Sequence[str] = ()  # none: all of them
    networks: Sequence[str] = ()


KINDS: list[Kind] = []


def kind(
    name: str,
    *slugs: str,
    values: Sequence[Any] = (None,),
    count: int = 2,
    corpora: Sequence[str] = (),
    networks: Sequence[str] = (),
) -> Callable[[Plant], Plant]:
    """Enter a kind under a name."""

    def enter(plant: Plant) -> Plant:
        entered = Kind(
            name=name,
            slugs=slugs,
            plant=plant,
            values=values,
            count=count,
            corpora=corpora,
            networks=networks,
        )
        KINDS.append(entered)
        return plant

    return enter


# what goes in -------------------------------------------------------------------------------------


def both(trial: Trial, change: Callable[[int, Item], Item]) -> None:
    """Change every item of both parts."""
    trial.train = [change(place, item) for place, item in enumerate(trial.train)]
    trial.dev = [change(place, item) for place, item in enumerate(trial.dev)]


def some(
    items: Sequence[Item], share: float, change: Callable[[Item], Item], seed: int
) -> list[Item]:
    """Change a share of the items, drawn by a seed."""
    generator = torch.Generator().manual_seed(seed)
    chances = torch.rand(len(items), generator=generator)
    is_drawn = (chances < share).tolist()
    result = list(items)
    for place, item in enumerate(items):
        if is_drawn[place]:
            result[place] = change(item)
    return result


def at_rate(samples: Tensor, factor: float) -> Tensor:
    """Samples [N] read `factor` times too fast."""
    size = max(2, round(len(samples) / factor))
    batch = samples[None, None]  # [1, 1, N]
    resampled = nn.functional.interpolate(batch, size, mode="linear")
    return resampled[0, 0]


def item_at_rate(item: Item, factor: float) -> Item:
    """An item whose recording is read `factor` times too fast."""
    return replace(item, samples=at_rate(item.samples, factor))


@kind("silence", "audio-silent", values=(0.3, 0.5, 1.0), count=4)
def _(trial: Trial, value: float) -> None:
    """Recordings of zeros."""

    def silent(item: Item) -> Item:
        return replace(item, samples=0 * item.samples)

    trial.train = some(trial.train, value, silent, trial.seed)


@kind("one constant value", "audio-silent", values=(0.2, 0.4))
def _(trial: Trial, value: float) -> None:
    """Recordings of an offset and nothing else."""

    def constant(item: Item) -> Item:
        return replace(item, samples=torch.full_like(item.samples, 0.2))

    trial.train = some(trial.train, value, constant, trial.seed)


@kind("hum only", "audio-without-voice", values=(50, 100, 150), count=4)
def _(trial: Trial, value: float) -> None:
    """A hum and its third harmonic in place of every recording."""

    def hum(place: int, item: Item) -> Item:
        length = len(item.samples)
        generator = torch.Generator().manual_seed(place)
        noise = torch.randn(length, generator=generator)
        places = torch.arange(length)
        angles = 2 * torch.pi * value * places / RATE_HZ + place
        fundamental = angles.sin()
        third_harmonic = (3 * angles).sin()
        samples = 0.1 * fundamental + 0.03 * third_harmonic + 1e-3 * noise
        return replace(item, samples=samples)

    both(trial, hum)


@kind("noise only", "audio-without-voice", values=("white", "brown", "crackle"), count=4)
def _(trial: Trial, value: str) -> None:
    """Noise of a kind in place of every recording."""

    def noise(place: int, item: Item) -> Item:
        generator = torch.Generator().manual_seed(place)
        samples = torch.randn(len(item.samples), generator=generator)
        if value == "brown":
            samples = samples.cumsum(0)
            drift = nn.functional.avg_pool1d(samples[None], 801, stride=1, padding=400)[0]
            samples = samples - drift
        if value == "crackle":
            chances = torch.rand(len(samples), generator=generator)
            samples = samples * (chances < 0.01)
        samples = samples / samples.std()
        return replace(item, samples=0.05 * samples)

    both(trial, noise)


@kind("NaN", "features-not-finite", values=(0.03, 0.1, 0.3))
def _(trial: Trial, value: float) -> None:
    """One sample of a recording is no number."""

    def spoil(item: Item) -> Item:
        samples = item.samples.clone()
        middle = len(samples) // 2
        samples[middle] = torch.nan
        return replace(item, samples=samples)

    trial.train = some(trial.train, value, spoil, trial.seed)


@kind("half at another rate", "wrong-sample-rate", values=(0.5, 2.0, 3.0), count=4)
def _(trial: Trial, value: float) -> None:
    """Half of the training part is read so many times too fast."""
    trial.train = some(
        trial.train,
        0.5,
        lambda item: item_at_rate(item, value),
        trial.seed,
    )


@kind("all at another rate", "wrong-sample-rate", values=(3.0, 0.33))
def _(trial: Trial, value: float) -> None:
    """Everything is read so many times too fast."""
    both(trial, lambda place, item: item_at_rate(item, value))


@kind("dev at another rate", "wrong-sample-rate", values=(2.0, 0.5, 3.0), count=4)
def _(trial: Trial, value: float) -> None:
    """The dev part alone is read so many times too fast."""
    trial.dev = [item_at_rate(item, value) for item in trial.dev]


@kind(
    "dev quieter",
    "dev-unlike-train",
    values=(30, 40),
    count=4,
    corpora=LEARNT,
    networks=ABSOLUTE,
)
def _(trial: Trial, value: float) -> None:
    """The dev part is so many decibels quieter."""
    factor = 10 ** (-value / 20)
    trial.dev = [replace(item, samples=factor * item.samples) for item in trial.dev]


# texts and targets --------------------------------------------------------------------------------


def dealt(items: Sequence[Item], seed: int, share: float = 1.0) -> list[Item]:
    """A share of the texts dealt out anew among their recordings: each gets the next one's."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(items), generator=generator).tolist()
    count = round(share * len(items))
    receivers = order[:count]
    givers = receivers[1:] + receivers[:1]
    result = list(items)
    for receiver, giver in zip(receivers, givers, strict=True):
        text = items[giver].text
        result[receiver] = replace(items[receiver], text=text)
    return result


@kind("texts shuffled", "transcripts-shuffled", count=6)
def _(trial: Trial, value: None) -> None:
    """Every training recording has another's text; in half of the runs, dev's too."""
    trial.train = dealt(trial.train, trial.seed)
    if trial.seed % 2:
        trial.dev = dealt(trial.dev, trial.seed)


@kind("half shuffled", "transcripts-shuffled", values=(0.4, 0.5), count=4, corpora=LEARNT)
def _(trial: Trial, value: float) -> None:
    """A share of the training recordings have another's text."""
    trial.train = dealt(trial.train, trial.seed, value)


@kind("half contradicted", "contradictory-transcripts", values=(0.3, 0.5), count=4)
def _(trial: Trial, value: float) -> None:
    """A share of the recordings are there again with another's text."""
    count = round(value * len(trial.train))
    copied = trial.train[:count]
    others = trial.train[1 : count + 1]
    copies = []
    for item, other in zip(copied, others, strict=True):
        copy = Item(item.name + "-copy", other.text, item.samples)
        copies.append(copy)
    trial.train = [*trial.train, *copies]


@kind("targets sorted", "transcripts-shuffled", count=4, corpora=SEVERAL)
def _(trial: Trial, value: None) -> None:
    """The collate sorts targets by length, and nothing else with them."""

    def sort(batch: Batch) -> Batch:
        rows = batch.targets.split(list(batch.target_lengths))
        shortest_first = sorted(rows, key=len)
        return dataclasses.replace(
            batch,
            targets=torch.cat(shortest_first),
            target_lengths=tuple(len(row) for row in shortest_first),
        )

    trial.batches = lambda batches: [sort(batch) for batch in batches]


@kind("one text for all", "dominant-text", values=("train", "both"), count=4)
def _(trial: Trial, value: str) -> None:
    """All have the text of the first, in the training part or in both."""
    text = trial.train[0].text
    trial.train = [replace(item, text=text) for item in trial.train]
    if value == "both":
        trial.dev = [replace(item, text=text) for item in trial.dev]


@kind("greek texts", "transcripts-outside-alphabet", values=(0.3, 0.1, 0.6), count=4)
def _(trial: Trial, value: float) -> None:
    """A share of the texts are in letters that the alphabet does not have."""
    alpha = ord("\u0391")
    greek_of = {}
    for place, letter in enumerate(ascii_uppercase):
        greek_of[ord(letter)] = alpha + place % 16

    def in_greek(item: Item) -> Item:
        text = item.text.upper()
        return replace(item, text=text.translate(greek_of))

    trial.train = some(trial.train, value, in_greek, trial.seed)


@kind("empty texts", "empty-transcripts", values=(0.1, 0.5))
def _(trial: Trial, value: float) -> None:
    """A share of the texts are lost."""

    def without_text(item: Item) -> Item:
        return replace(item, text="")

    trial.train = some(trial.train, value, without_text, trial.seed)


class Shifted(Alphabet):
    """Labels one too large."""

    def encode(self, text: str) -> list[int]:
        return [label + 1 for label in super().encode(text)]


class LessOne(Alphabet):
    """Labels one too small: the first symbol is the blank."""

    def encode(self, text: str) -> list[int]:
        return [label - 1 for label in super().encode(text)]


_SYMBOLS = " abcdefghijklmnopqrstuvwxyz0123456789'"


@kind("labels plus one", "labels-shifted")
def _(trial: Trial, value: None) -> None:
    """Labels are numbered from 2."""
    trial.alphabet = Shifted(_SYMBOLS)


@kind("labels minus one", "labels-shifted", count=4)
def _(trial: Trial, value: None) -> None:
    """Labels are numbered from 0, which is the blank's number."""
    trial.alphabet = LessOne(_SYMBOLS)


@kind("padding counted", "target-lengths-count-padding", values=(0, 1, 5), count=4)
def _(trial: Trial, value: int) -> None:
    """Every target is as long as the longest: what it is padded with counts as labels."""

    def pad(batch: Batch) -> Batch:
        width = max(batch.target_lengths) + 2
        rows = []
        for labels in batch.targets.split(list(batch.target_lengths)):
            missing = width - len(labels)
            padding = labels.new_full((missing,), value)
            rows.append(torch.cat([labels, padding]))
        return dataclasses.replace(
            batch,
            targets=torch.cat(rows),
            target_lengths=(width,) * len(batch),
        )

    trial.batches = lambda batches: [pad(batch) for batch in batches]


# the network and what the loss is told ------------------------------------------------------------


class Changed(SpeechModel):
    """A model with something done to its scores; `change` is set by the planting."""

    def change(self, out: Seq) -> Seq:
        """What is handed to the loss."""
        return out

    def forward(
        self, samples: Seq, augment: Augmentation | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        return self.change(super().forward(samples, augment, seeds))


def scores(trial: Trial, change: Callable[[SpeechModel, Seq], Seq]) -> None:
    """Change what the network hands to the loss."""

    def enter(model: SpeechModel) -> SpeechModel:
        changed = type("Changed", (Changed,), {"change": change})
        model.__class__ = changed
        return model

    trial.network = enter


@kind("scores divided", "scores-too-small", values=(30, 100, 1000), count=4)
def _(trial: Trial, value: float) -> None:
    """Scores are divided before the loss."""
    scores(trial, lambda model, out: out.with_data(out.data / value))


@kind("softmax as logits", "softmax-as-logits")
def _(trial: Trial, value: None) -> None:
    """The loss takes the softmax of probabilities."""
    scores(trial, lambda model, out: out.with_data(out.data.softmax(2)))


@kind("sigmoid as logits", "softmax-as-logits", count=4)
def _(trial: Trial, value: None) -> None:
    """The loss takes the softmax of the sigmoid of scores."""
    scores(trial, lambda model, out: out.with_data(out.data.sigmoid()))


@kind(
    "padded lengths",
    "input-lengths-wrong",
    values=("training", "both"),
    count=4,
    corpora=("fsdd", "an4", "libri"),  # GRID's recordings are all as long as the longest
)
def _(trial: Trial, value: str) -> None:
    """The loss is told that every row is as long as the longest one of its batch."""

    def all_frames(model: SpeechModel, out: Seq) -> Seq:
        if value == "training" and not model.training:
            return out
        padded_frames = out.data.shape[1]
        lengths = (padded_frames,) * len(out)
        return Seq(out.data, lengths, out.rate)

    scores(trial, all_frames)


class LossBlank(Recognise):
    """The loss has another blank than the decoder."""

    other = 37

    def step(self, batch: Batch, step: int) -> Loss:
        logits = self.network(batch.audio, None, batch.seeds)
        try:
            losses, report = ctc_loss(
                logits.data,
                batch.targets,
                logits.lengths,
                batch.target_lengths,
                blank=self.other,
                reduction="none",
                zero_infinity=True,
                return_report=True,
            )
        except ValueError as error:
            raise LossRefused(str(error), self.evidence.facts_of_refused(batch)) from error
        self.evidence.train_batch(batch, logits.lengths)
        return Loss(losses.sum(), len(batch), losses.detach(), (), report.summary)


@kind("another blank in the loss", "blank-mismatch", values=(36, 37, 30), count=4)
def _(trial: Trial, value: int) -> None:
    """The loss takes a symbol that no text has as its blank."""
    trial.task = type("LossBlank", (LossBlank,), {"other": value})


class DecoderBlank(Recognise):
    """The decoder has another blank than the loss."""

    def write(self, logits: Seq) -> list[str]:
        last_symbol = logits.data.shape[2] - 1
        texts = []
        for path in greedy(logits.data, logits.lengths, blank=last_symbol):
            letters = [chr(ord("a") + token % 26) for token in path.tokens]
            texts.append("".join(letters))
        return texts


@kind("another blank in the decoder", "blank-mismatch")
def _(trial: Trial, value: None) -> None:
    """The decoder takes the last symbol as its blank."""
    trial.task = DecoderBlank


def strided(spec: NetSpec, times: int) -> NetSpec:
    """A spec whose features come `times` less often."""
    hop_s = times * spec.front.hop_s
    window_s = max(spec.front.window_s, hop_s)  # no sample is to fall between two windows
    n_fft = 512
    if window_s > n_fft / RATE_HZ:
        n_fft = 4096
    front = replace(spec.front, hop_s=hop_s, window_s=window_s, n_fft=n_fft)
    return replace(spec, front=front)


@kind(
    "stride costs rows",
    "stride-too-large",
    values=(1, 2, 3),
    count=4,
    corpora=("fsdd", "an4", "grid"),
)
def _(trial: Trial, value: int) -> None:
    """Texts so long (or sounds so short) that a few to many rows have no alignment."""
    share = (0.03, 0.06, 0.3)[value - 1]

    def hurry(item: Item) -> Item:
        seconds = len(item.text) / 60  # 60 characters a second: nobody speaks so fast
        kept_samples = max(RATE_HZ // 10, round(seconds * RATE_HZ))
        return replace(item, samples=item.samples[:kept_samples])

    trial.train = some(trial.train, share, hurry, trial.seed)


@kind("stride costs most rows", "stride-too-large", corpora=("grid", "libri", "an4"))
def _(trial: Trial, value: None) -> None:
    """Features come six times less often."""
    trial.spec = strided(trial.spec, 6)


class ZeroInfinity(Recognise):
    """Rows without a path count."""

    def step(self, batch: Batch, step: int) -> Loss:
        loss = super().step(batch, step)
        return Loss(loss.sum, len(batch), loss.rows, (), loss.evidence)


@kind("zero_infinity", "zero-infinity-hides-rows", corpora=("grid", "libri"))
def _(trial: Trial, value: None) -> None:
    """Most rows have no alignment, and the mean loss counts them as zeros."""
    trial.spec = strided(trial.spec, 5)
    trial.task = ZeroInfinity


@kind(
    "detached behind the conv",
    "frozen-parameters",
    count=4,
    networks=("small", "default", "bilstm", "streaming"),
)
def _(trial: Trial, value: None) -> None:
    """No gradient reaches the convolutions."""

    def without_gradient(module: nn.Module, inputs: Any, out: Seq) -> Seq:
        return out.with_data(out.data.detach())

    def detach(model: SpeechModel) -> SpeechModel:
        assert isinstance(model.body.conv, nn.Module)
        model.body.conv.register_forward_hook(without_gradient)
        return model

    trial.network = detach


@kind("frozen layers", "frozen-parameters")
def _(trial: Trial, value: None) -> None:
    """The recurrent layers take no gradient."""

    def freeze(model: SpeechModel) -> SpeechModel:
        model.body.rnn.requires_grad_(False)
        return model

    trial.network = freeze


class HeadOnly(Recognise):
    """The optimiser is given the last layer only."""

    def parameters(self) -> Any:
        return self.network.body.head.parameters()


@kind("missing from the optimiser", "frozen-parameters")
def _(trial: Trial, value: None) -> None:
    """All layers but the last are forgotten."""
    trial.task = HeadOnly


@kind("dead ReLU", "dead-relu", networks=("bigru", "bilstm"))
def _(trial: Trial, value: None) -> None:
    """A bias so far below zero that no unit of the layer ever lets anything through."""

    def kill(model: SpeechModel) -> SpeechModel:
        for module in model.body.head.modules():
            if isinstance(module, nn.Linear):
                nn.init.constant_(module.bias, -60.0)
                break
        return model

    trial.network = kill


@kind("batch of one", "batch-of-one", networks=("default", "small", "streaming"))
def _(trial: Trial, value: None) -> None:
    """One utterance a step."""
    trial.batch_size = 1
    trial.train = trial.train[:40]
    trial.dev = trial.dev[:24]


@kind("corpus statistics missing", "normalisation-statistics", networks=ABSOLUTE)
def _(trial: Trial, value: None) -> None:
    """The statistics say mean 0 and variance 1, as if they had not been measured."""

    def pretend(model: SpeechModel) -> SpeechModel:
        statistics = dict(model.front.norm.named_buffers())
        statistics["mean"].zero_()
        statistics["matrix"].fill_(1.0)
        return model

    trial.network = pretend


class OnlyInTraining(nn.Module):
    """Normalises in training only."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, features: Seq) -> Seq:
        if self.training:
            normalised: Seq = self.norm(features)
            return normalised
        return features


@kind("normalised in training only", "normalisation-differs", networks=("small", "bigru", "bilstm"))
def _(trial: Trial, value: None) -> None:
    """Evaluation hears features that are not normalised."""

    def change(model: SpeechModel) -> SpeechModel:
        model.front.norm = OnlyInTraining(model.front.norm)
        return model

    trial.network = change


# how it is trained --------------------------------------------------------------------------------


@kind("rate too high", "learning-rate-too-high", values=(30, 100, 300), count=6)
def _(trial: Trial, value: float) -> None:
    """A learning rate many times the usual one."""
    trial.lr *= value


@kind("rate too low", "learning-rate-too-low", values=(1e-5, 3e-5, 3e-6), count=6)
def _(trial: Trial, value: float) -> None:
    """A learning rate at which nothing moves in so few steps."""
    trial.lr = value


@kind("rate zero", "learning-rate-zero")
def _(trial: Trial, value: None) -> None:
    """A learning rate of zero."""
    trial.lr = 0.0


@kind("clipped", "gradient-clipped", values=(1e-6, 1e-4), count=4)
def _(trial: Trial, value: float) -> None:
    """Gradients are clipped to so small a norm that plain SGD does not move."""
    trial.config |= {
        "clip": value,
        "optimiser": "sgd",
        "weight_decay": 0.0,
    }


@kind(
    "dropout",
    "dropout-too-strong",
    values=(0.6, 0.8),
    count=4,
    networks=("default", "small"),
)
def _(trial: Trial, value: float) -> None:
    """Dropout between two layers."""
    trial.spec = replace(trial.spec, dropout=value, layers=2)


@kind("SpecAugment", "specaugment-too-strong", values=(0.7, 1.0))
def _(trial: Trial, value: float) -> None:
    """Six masks over the bands and eight over time, each so wide."""
    trial.options = {"augment": SpecAugment(6, value, 8, value)}


class Ascent(Recognise):
    """The loss has the wrong sign."""

    def step(self, batch: Batch, step: int) -> Loss:
        loss = super().step(batch, step)
        return dataclasses.replace(loss, sum=-loss.sum)


class HiddenAscent(Recognise):
    """The gradient has the wrong sign, and the loss that is told has the right one."""

    def step(self, batch: Batch, step: int) -> Loss:
        loss = super().step(batch, step)
        same_value = 2 * loss.sum.detach() - loss.sum
        return dataclasses.replace(loss, sum=same_value)


@kind("wrong sign", "loss-wrong-sign", values=("loss", "gradient"), count=4)
def _(trial: Trial, value: str) -> None:
    """Steps go uphill; the loss that is told says so, or not."""
    task_of = {"loss": Ascent, "gradient": HiddenAscent}
    trial.task = task_of[value]


@kind("weight decay", "weight-decay-too-strong", values=(10.0, 30.0, 100.0), count=4)
def _(trial: Trial, value: float) -> None:
    """Decoupled weight decay far above the usual 0.01."""
    trial.config |= {"weight_decay": value}


# what only the course tells -----------------------------------------------------------------------


@kind("too little data", "model-too-large", values=(16, 24), corpora=LEARNT)
def _(trial: Trial, value: int) -> None:
    """So few utterances that they are known by heart at once."""
    trial.train = trial.train[:value]
    trial.batch_size = 8
    trial.epochs = 60
    trial.config |= {"check_every": 3}


@kind("blank preferred", "over-peaky", values=(5.0, 8.0), corpora=LEARNT)
def _(trial: Trial, value: float) -> None:
    """Evaluation adds to the blank's score."""

    def prefer(model: SpeechModel, out: Seq) -> Seq:
        if model.training:
            return out
        bonus = torch.zeros(out.data.shape[2])
        bonus[0] = value
        return out.with_data(out.data + bonus)

    scores(trial, prefer)
