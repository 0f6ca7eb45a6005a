"""Evidence that a recogniser gives while it trains: plain numbers for the checks' records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.facts import CorpusFacts
from ctcasr.diagnose.outputs import best_class_counts, output_stats
from ctcasr.diagnose.pairing import PairingTally, against_dev
from ctcasr.diagnose.probe import (
    Activations,
    batch_statistics,
    feature_stats,
    fingerprints,
    parameter_stats,
    weights_size,
)
from ctcasr.diagnose.scores import (
    Read,
    mean_nll,
    penalised_cers,
    penalised_nlls,
    score_stats,
    unsaid_class,
)
from ctcasr.diagnose.targets import TargetStats, target_stats
from ctcasr.diagnose.voice import VoiceTally
from ctcasr.diagnose.yardstick import DeafYardstick
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_DEV_ROWS = 64  # of the dev part that are looked at: their logits are there anyway
_TRAIN_ROWS = 8  # of training: each costs two forward passes
_LEAST_TRAIN_ROWS = 4
_FEWEST_HEARD = 64  # recordings that are listened to, even where the first epoch is past
_MOST_HELD = 64  # recordings on a device that wait for the next check to be listened to
_TRAINED_A_ROW = 40  # utterances trained on for one looked at: looking costs less than 3 %
_REASON = 160  # characters of an error that are told

PartEvidence = dict[str, Any]
"""Numbers about one part by name; what each means stands at the statistics it comes from."""


class _DevBatch(NamedTuple):
    """Rows of the dev part, with what the check made of them."""

    batch: Batch
    logits: Seq
    hypotheses: Sequence[str]

    @staticmethod
    def first_rows(batch: Batch, logits: Seq, hypotheses: Sequence[str]) -> _DevBatch:
        """The first rows of a batch, as many as are looked at."""
        count = min(len(batch), _DEV_ROWS)
        rows = range(count)
        return _DevBatch(batch.rows(rows), logits.rows(rows), hypotheses[:count])


class Evidence:
    """Collects while a task trains, and is asked at each check; changes nothing it looks at.

    `read` makes hypotheses of logits and a blank penalty, with the blank of the loss. A look that
    fails never ends training: what could not be measured is told at the next check.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: Tokenizer,
        trained: Callable[[], Iterable[nn.Parameter]],
        blank_penalty: Callable[[], float],
        read: Read,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.trained = trained
        self.blank_penalty = blank_penalty
        self.read = read
        self.deaf = DeafYardstick(tokenizer.size, tokenizer.blank)
        # Facts, voices and pairs add up from batch to batch:
        self.corpus = {"train": CorpusFacts(), "dev": CorpusFacts()}
        self.voices = {"train": VoiceTally(), "dev": VoiceTally()}
        self.pairing = {"train": PairingTally(), "dev": PairingTally()}
        self.unmeasured: dict[str, str] = {}  # what could not be looked at, and why
        self._before: dict[str, str] = {}  # fingerprints of the parameters at the last check
        self._first_size = 0.0  # length of the weights before the first step
        self._last_batch: Batch | None = None
        self._last_size = 0
        self._trained_on = 0  # utterances since the last check
        self._dev: list[_DevBatch] = []
        self._dev_seen: set[str] = set()  # whose voices are known
        self._held: list[Batch] = []  # on a device: listening to them would stop the step
        self._unsaid_class = -1  # a class that is written though no label holds it

    @contextmanager
    def looking_at(self, what: str) -> Iterator[None]:
        """Within, an error is remembered as `unmeasured` instead of ending training."""
        try:
            yield
        except Exception as error:  # whatever a look may stumble over
            first_line = str(error).partition("\n")[0]
            kind = type(error).__name__
            self.unmeasured[what] = f"{kind}: {first_line[:_REASON]}"

    @torch.no_grad()
    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None:
        """A batch that has been trained on, with the frames its logits had."""
        with self.looking_at("the training batches"):
            if not self._before:
                self._before = fingerprints(self.network)
                self._first_size = weights_size(self.network)
            self._last_batch = batch
            self._last_size = len(batch)
            self._trained_on += len(batch)
            self.deaf.remember(batch, lengths)
            self._count("train", batch, lengths)
        heard = self.voices["train"].rows.entries
        if not self.corpus["train"].complete or len(heard) < _FEWEST_HEARD:
            self._listen_soon(batch)

    def _listen_soon(self, batch: Batch) -> None:
        """Listen to a training batch: now, or at the next check if it lies on a device."""
        if batch.audio.data.dim() != 2:  # pictures of lips have no voice
            return
        if batch.audio.data.is_cpu:
            self._listen("train", batch)
            return
        room = _MOST_HELD - sum(len(held) for held in self._held)
        if room > 0:
            self._held.append(batch.rows(range(min(room, len(batch)))))

    @torch.no_grad()
    def dev_batch(self, batch: Batch, logits: Seq, hypotheses: Sequence[str]) -> None:
        """A batch of the check with its logits [B, T, C] and what was written."""
        with self.looking_at("the dev batches"):
            self._count("dev", batch, logits.lengths)
            if sum(len(part.batch) for part in self._dev) < _DEV_ROWS:
                self._dev.append(_DevBatch.first_rows(batch, logits, hypotheses))

    def _count(self, part: str, batch: Batch, lengths: tuple[int, ...]) -> None:
        """Count facts of a batch, once for each utterance."""
        frames_of = getattr(self.network, "frames", None)
        self.corpus[part].add(batch, lengths, frames_of, self.tokenizer)

    def _listen(self, part: str, batch: Batch) -> None:
        """Remember what some recordings of a batch sound like, and what is said to be in them."""
        if batch.audio.data.dim() != 2:  # pictures of lips have no voice
            return
        batch = batch.to("cpu")  # at once, not number by number
        with self.looking_at("the voices"):
            self.voices[part].add(batch.audio, batch.target_lengths)
        with self.looking_at("what belongs together"):
            self.pairing[part].add(batch)

    def facts(self) -> dict[str, Any]:
        """Counts of defects so far, `train` and `dev`, for an event that ends training."""
        return {part: facts.as_json() for part, facts in self.corpus.items() if facts.rows}

    def facts_of_refused(self, batch: Batch) -> dict[str, Any]:
        """The same with a batch that the loss has refused, whose targets alone can be looked at."""
        with self.looking_at("the refused batch"):
            self.corpus["train"].add(batch, (), None, self.tokenizer)
        return self.facts()

    @torch.no_grad()
    def collect(self) -> dict[str, Any]:
        """All evidence since the last check, by part; the network must be in evaluation mode.

        `parameters`; `dev` and `train` where seen; `corpus`: counts over all rows; `classes` and
        `blank`; and `unmeasured` where a look has failed.
        """
        evidence: dict[str, Any] = {
            "classes": self.tokenizer.size,
            "blank": self.tokenizer.blank,
            "corpus": self.facts(),
        }
        for held in self._held:
            self._listen("train", held)
        self._held = []
        now: dict[str, str] = {}
        with self.looking_at("the parameters"):
            now = fingerprints(self.network)
            parameters = parameter_stats(self.network, self.trained(), self._before, now)
            evidence["parameters"] = asdict(parameters)
            if self._first_size:
                evidence["parameters"]["grown"] = parameters.size / self._first_size
        if self._dev:
            with self.looking_at("the dev part"):
                evidence["dev"] = self._dev_part()
        if self._last_batch is not None:
            evidence["train"] = self._train_part(self._last_batch)
        if self.unmeasured:
            evidence["unmeasured"] = self.unmeasured
        self.unmeasured = {}
        self._before = now
        self._dev = []
        self._trained_on = 0
        return evidence

    def _dev_part(self) -> PartEvidence:
        """The dev part: what the network made of it was computed by the check already."""
        parts = []
        targets = TargetStats()
        for dev in self._dev:
            parts.append(self._dev_scores(dev))
            targets.merge(target_stats(dev.batch, self.tokenizer))
            if not self._dev_seen.issuperset(dev.batch.ids):
                self._dev_seen.update(dev.batch.ids)
                self._listen("dev", dev.batch)
        return {
            **weighted_means(parts),
            **self._best_class(),
            **self._voice("dev"),
            **asdict(self.pairing["dev"].stats()),
            **targets.as_json(),
        }

    def _voice(self, part: str) -> PartEvidence:
        """What the recordings of a part sound like; nothing where pictures are read."""
        tally = self.voices[part]
        return asdict(tally.stats()) if tally.rows.offered else {}

    def _best_class(self) -> PartEvidence:
        """The class that is likeliest most often, in the dev part: its share of frames, of labels.

        `best_class` is its index; `best_class_frames` and `best_class_labels` are the shares.
        `unsaid_class` is the likeliest of those that no label is, but for the blank.
        """
        frames = torch.zeros(self.tokenizer.size, dtype=torch.int64)
        labels = torch.zeros(self.tokenizer.size, dtype=torch.int64)
        for dev in self._dev:
            frames += best_class_counts(dev.logits.data, dev.logits.lengths)
            targets = dev.batch.targets.cpu().clamp(0, self.tokenizer.size - 1)
            labels += targets.bincount(minlength=self.tokenizer.size)
        best_class = int(frames.argmax())
        self._unsaid_class = unsaid_class(frames, labels, self.tokenizer.blank)
        return {
            "unsaid_class": self._unsaid_class,
            "best_class": best_class,
            "best_class_frames": float(frames[best_class] / frames.sum().clamp_min(1)),
            "best_class_labels": float(labels[best_class] / labels.sum().clamp_min(1)),
        }

    def _dev_scores(self, dev: _DevBatch) -> PartEvidence:
        """Scores of the rows of a dev batch."""
        return {
            **self._scores(dev.batch, dev.logits, dev.hypotheses),
            **output_stats(dev.logits.data, dev.logits.lengths),
            **penalised_cers(dev.batch, dev.logits, self.read, self.tokenizer),
            "rows": len(dev.batch),
        }

    def _train_part(self, last_batch: Batch) -> PartEvidence:
        """A few rows of the last training batch, evaluated and by the statistics of the batch."""
        wanted = min(_TRAIN_ROWS, self._trained_on // _TRAINED_A_ROW)
        wanted = max(_LEAST_TRAIN_ROWS, wanted)
        count = min(len(last_batch), wanted)
        few_count = min(count, max(_LEAST_TRAIN_ROWS, count // 2))
        batch = last_batch.rows(range(count))
        few = last_batch.rows(range(few_count))
        part: PartEvidence = {"rows": count, "batch": self._last_size}
        with self.looking_at("the training part in evaluation"):
            part |= self._in_evaluation(batch, few)
        with self.looking_at("the statistics of the batch"):
            part |= self._by_batch_statistics(few)
        with self.looking_at("the features"):
            features = feature_stats(self.network, few)
            if features is not None:
                part |= asdict(features)
        part |= self._voice("train")
        with self.looking_at("what belongs together"):
            part |= self._pairing()
        with self.looking_at("the targets"):
            part |= target_stats(batch, self.tokenizer).as_json()
        return part

    def _pairing(self) -> PartEvidence:
        """Whether training texts go with their recordings, by themselves and beside dev's."""
        train = self.pairing["train"]
        dev = self.pairing["dev"]
        beside_dev = against_dev(train.rows.entries, dev.rows.entries)
        return asdict(train.stats()) | asdict(beside_dev)

    def _in_evaluation(self, batch: Batch, few: Batch) -> PartEvidence:
        """Scores of training rows, and the loss of the first few of them."""
        with Activations() as activations:
            logits = self.network(batch.audio)
        hypotheses = self.read(logits, self.blank_penalty())
        few_logits = logits.rows(range(len(few)))
        scores = {
            **self._scores(batch, logits, hypotheses),
            "dead": activations.dead_shares(logits.lengths),
            "nll_few": mean_nll(few, few_logits, self.tokenizer.blank),
            **penalised_nlls(few, few_logits, self.tokenizer.blank),
        }
        if self._unsaid_class >= 0 and self._unsaid_class not in few.targets.tolist():
            scores["nll_few_unsaid_blank"] = mean_nll(few, few_logits, self._unsaid_class)
        return scores

    def _by_batch_statistics(self, few: Batch) -> PartEvidence:
        """The loss of the same few rows, normalised as in training."""
        with batch_statistics(self.network) as norm_layers:
            logits = self.network(few.audio)
        return {
            "nll_batch_statistics": mean_nll(few, logits, self.tokenizer.blank),
            "normed": norm_layers,
        }

    def _scores(self, batch: Batch, logits: Seq, hypotheses: Sequence[str]) -> PartEvidence:
        best_paths = self.read(logits, self.blank_penalty())
        stats = score_stats(
            self.network, batch, logits, hypotheses, best_paths, self.tokenizer, self.deaf
        )
        return asdict(stats)

    # for checkpoints ----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that the next checks need to say what they would have said without a stop.

        Plain data and tensors: `deaf`, `corpus`, `voices`, `pairing`, `dev_seen`, `unmeasured`,
        `before`, `first_size`, `trained_on`, `last_size` and `last_batch`.
        """
        last_batch = None
        if self._last_batch is not None:
            rows = range(min(len(self._last_batch), _TRAIN_ROWS))
            last_batch = _batch_state(self._last_batch.rows(rows))
        corpus = {part: facts.state_dict() for part, facts in self.corpus.items()}
        voices = {part: tally.state_dict() for part, tally in self.voices.items()}
        return {
            "deaf": self.deaf.state_dict(),
            "corpus": corpus,
            "voices": voices,
            "pairing": {part: tally.state_dict() for part, tally in self.pairing.items()},
            "dev_seen": sorted(self._dev_seen),
            "unmeasured": dict(self.unmeasured),
            "before": self._before,
            "first_size": self._first_size,
            "trained_on": self._trained_on,
            "last_size": self._last_size,
            "last_batch": last_batch,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` told."""
        device = next(self.network.parameters()).device
        self.deaf.load_state_dict(state["deaf"])
        for part in ("train", "dev"):
            self.corpus[part] = CorpusFacts.from_state(state["corpus"][part], device)
            self.voices[part] = VoiceTally.from_state(state["voices"][part])
            pairing = state.get("pairing", {})  # absent in an older file
            self.pairing[part] = PairingTally.from_state(pairing.get(part, {}))
        self._dev_seen = set(state["dev_seen"])
        self.unmeasured = dict(state["unmeasured"])
        self._before = dict(state["before"])
        self._first_size = float(state.get("first_size", 0.0))  # of an older file
        self._trained_on = int(state["trained_on"])
        self._last_size = int(state["last_size"])
        self._last_batch = None
        if state["last_batch"] is not None:
            self._last_batch = _batch_from(state["last_batch"]).to(device)


def _batch_state(batch: Batch) -> dict[str, Any]:
    """A batch as plain data and tensors: what evidence looks at of it."""
    return {
        "files": [str(utterance.audio_filepath) for utterance in batch.utterances],
        "texts": [utterance.text for utterance in batch.utterances],
        "samples": batch.audio.data.cpu(),
        "lengths": list(batch.audio.lengths),
        "rate": [batch.audio.rate.numerator, batch.audio.rate.denominator],
        "targets": batch.targets.cpu(),
        "target_lengths": list(batch.target_lengths),
    }


def _batch_from(state: Mapping[str, Any]) -> Batch:
    """The batch that `_batch_state` told of."""
    utterances = []
    for file, text in zip(state["files"], state["texts"], strict=True):
        utterances.append(Utterance(Path(file), text=text))
    audio = Seq(state["samples"], tuple(state["lengths"]), Fraction(*state["rate"]))
    return Batch(tuple(utterances), audio, state["targets"], tuple(state["target_lengths"]))


def weighted_means(parts: Sequence[Mapping[str, float]]) -> PartEvidence:
    """Means of numbers over parts, weighted by their `rows`, which are added up.

    What is no number in a part is left out of its mean.

    Example:
        >>> weighted_means([{"rows": 3, "cer": 0.1}, {"rows": 1, "cer": 0.5}])
        {'rows': 4, 'cer': 0.2}
    """
    means: PartEvidence = {"rows": sum(part["rows"] for part in parts)}
    for name in parts[0]:
        if name == "rows":
            continue
        weight = 0.0
        total = 0.0
        for part in parts:
            value = part.get(name, math.nan)
            if not math.isnan(value):
                weight += part["rows"]
                total += value * part["rows"]
        means[name] = total / weight if weight else math.nan
    return means
