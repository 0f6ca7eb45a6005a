"""Several recognisers as one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ctcasr.ctc import Decoded, ctc_loss
from ctcasr.data.sound import Sound
from ctcasr.decoding.decoder import Decoder, decoded_rows
from ctcasr.decoding.hypothesis import Hypothesis, hypothesis_of
from ctcasr.recognise.heard import SPEEDS, check_speed, penalised_logits, played
from ctcasr.recognise.protocols import LogitsSource, NotOffered
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.transcribing import Transcribing, TranscribingLogits
from ctcasr.seq import Seq

NBEST = 8  # hypotheses that each of several members is asked for
_OF_ONE = ("logits", "model", "spec", "notes", "stream", "frame_s", "device")


class AtSpeed(TranscribingLogits):
    """A recogniser that hears everything played that much faster, pitch included.

    Times are those of what was played.

    Raises:
        ValueError: for a speed outside 0.5..2, and for a recogniser that reads lips.
    """

    def __init__(self, recogniser: TranscribingLogits, speed: float) -> None:
        check_speed(speed)
        if recogniser.sees:
            raise ValueError(
                "speeds: expected a recogniser that hears; this one reads lips, and videos are "
                "not played at other speeds: leave them out"
            )
        self.recogniser = recogniser
        self.speed = speed
        self.tokenizer = recogniser.tokenizer
        self.word_models = recogniser.word_models

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.recogniser.rate_hz

    @property
    def frame_s(self) -> float:
        """Seconds of the recording from one frame of logits to the next."""
        return self.recogniser.frame_s * self.speed

    @property
    def device(self) -> torch.device:
        """Where it wants its samples."""
        return self.recogniser.device

    def clips(self, audio: Sound | Sequence[Sound], rate_hz: int | None) -> Iterator[Tensor]:
        """What the recogniser reads of each sound."""
        return self.recogniser.clips(audio, rate_hz)

    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N], played at the speed."""
        return self.recogniser.logits(played(samples, self.speed))


class Ensemble(Transcribing):
    """Recognisers with one alphabet: each finds hypotheses, the mean of all ranks them.

    The mean is that of log p(text | sound), of networks that hear at several speeds that of the
    speeds' mean probability. What a decoder's language model, lexicon or hotwords
    added to a hypothesis is kept. Posteriors are not averaged frame by frame: trainings differ in
    where they place their spikes, and members may differ in their strides. Times and confidences
    of words are those of the member that found the hypothesis. A member is a checkpoint or an
    ONNX file.

    Example:
        >>> from ctcasr.recognise.model import build
        >>> from ctcasr.specs import NetSpec
        >>> from ctcasr.text import Alphabet
        >>> spec = NetSpec(layers=1, hidden=8)
        >>> member = Recogniser(build(spec, 4), Alphabet("ab "), {}, {})
        >>> silence = torch.zeros(8000)
        >>> together = Ensemble([member, member]).transcribe(silence, 16000)
        >>> together[0].text == member.transcribe(silence, 16000)[0].text
        True
    """

    def __init__(self, members: Sequence[LogitsSource], speeds: int = 1) -> None:
        """Each network is that many members, one after the other, at a speed each.

        Raises ValueError for no members, or for some that do not fit together.
        """
        if not members:
            raise ValueError("expected at least one recogniser; got none")
        if speeds < 1 or len(members) % speeds:
            raise ValueError(
                f"expected {speeds} members of each network; got {len(members)} in all"
            )
        for index, member in enumerate(members):
            _check_member(index, member, members[0])
        self.members = tuple(members)
        self.speeds = speeds
        self.tokenizer = members[0].tokenizer
        self.blank_penalty = 0.0

    if not TYPE_CHECKING:  # to a type checker there is no such method at all

        def __getattr__(self, name: str) -> Any:
            if name in _OF_ONE:
                raise NotOffered(
                    f"an ensemble of several networks has no .{name}: ask one of its members "
                    f"(ensemble.members[0].{name}); all of them together transcribe"
                )
            raise AttributeError(f"an ensemble has no attribute {name!r}")

    @staticmethod
    def read(
        first: str,
        others: str | None,
        device: str | torch.device = "cpu",
        speeds: Sequence[float] = (),
    ) -> Ensemble:
        """The file `first`, and those of `others`, with commas between, on a device.

        Each at each of the speeds, if any.
        """
        paths = [first]
        if others:
            paths += others.split(",")
        members = [Recogniser.load(path, device) for path in paths]
        return Ensemble.at_speeds(members, speeds) if speeds else Ensemble(members)

    @staticmethod
    def at_speeds(
        recognisers: Sequence[TranscribingLogits], speeds: Sequence[float] = SPEEDS
    ) -> Ensemble:
        """Each of the recognisers at each of the speeds: one network is an ensemble of its own.

        A network that learnt from several speeds errs differently at each. Which of them suits a
        talker is not known: a network's p(text | sound) is the mean of all speeds.
        """
        members = []
        for recogniser in recognisers:
            members += [AtSpeed(recogniser, speed) for speed in speeds]
        return Ensemble(members, len(speeds))

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.members[0].rate_hz

    @property
    def sees(self) -> bool:
        """Whether the first member reads lips, of videos, rather than sound."""
        return self._first.sees

    @property
    def _first(self) -> Transcribing:
        first = self.members[0]
        assert isinstance(first, Transcribing), "every kind of recogniser reads its own clips"
        return first

    def clips(self, audio: Sound | Sequence[Sound], rate_hz: int | None) -> Iterator[Tensor]:
        """What the first member reads of each sound, or of each video."""
        return self._first.clips(audio, rate_hz)

    @torch.no_grad()
    def member_logits(self, samples: Seq) -> list[Seq]:
        """Logits [B, T, symbols] of each member, with the penalty taken off the blank."""
        return [penalised_logits(member, samples, self.blank_penalty) for member in self.members]

    def rank(
        self, member_logits: Sequence[Seq], decoder: Decoder | None = None
    ) -> list[list[Decoded]]:
        """Hypotheses of each row, best first, of the logits [B, T, symbols] of each member.

        Greedy, or by a `decoder`, which should give several.
        """
        rows = self._ranked_rows(member_logits, decoder)
        return [[candidate.decoded for candidate in row] for row in rows]

    def decode_batch(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        """Hypotheses of samples [B, N]: greedy, or by a decoder; ranked by all members."""
        member_logits = self.member_logits(samples)
        hypotheses = []
        for row, candidates in enumerate(self._ranked_rows(member_logits, decoder)):
            row_logits = [logits.data[row, : logits.lengths[row]] for logits in member_logits]
            hypotheses.append(self._hypothesis(candidates, row_logits, samples.row(row)))
        return hypotheses

    def _ranked_rows(
        self, member_logits: Sequence[Seq], decoder: Decoder | None
    ) -> list[list[Candidate]]:
        blank = self.tokenizer.blank
        decoded_by = [decoded_rows(logits, blank, decoder) for logits in member_logits]
        ranked = []
        for row in range(len(member_logits[0])):
            candidates = []
            for member, rows in enumerate(decoded_by):
                candidates += [Candidate(decoded, member) for decoded in rows[row]]
            if len(member_logits) > 1:
                row_logits = [logits.rows([row]) for logits in member_logits]
                ranking = ranked_by_all(candidates, row_logits, blank, self.speeds)
                candidates = self._first_of_each_text(ranking)
            ranked.append(candidates)
        return ranked

    def _first_of_each_text(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Without those that spell what one before them spells (spaces, other pieces)."""
        by_text: dict[str, Candidate] = {}
        for candidate in candidates:
            by_text.setdefault(self.tokenizer.decode(candidate.decoded.tokens), candidate)
        return list(by_text.values())

    def _hypothesis(
        self, candidates: Sequence[Candidate], row_logits: Sequence[Tensor], samples: Tensor
    ) -> Hypothesis:
        """Candidates, best first; `row_logits` are those [T, symbols] of each member.

        Samples are [N].
        """
        if not candidates:
            return hypothesis_of(self.tokenizer, [], self.members[0].frame_s)
        hypotheses = []
        for candidate in candidates:
            member = self.members[candidate.member]
            logits = row_logits[candidate.member]
            found = hypothesis_of(self.tokenizer, [candidate.decoded], member.frame_s, logits)
            hypotheses.append(member.word_models.applied(samples, found))
        return replace(hypotheses[0], others=tuple(hypotheses[1:]))


@dataclass(frozen=True)
class Candidate:
    """A hypothesis for one utterance, and the number of the member that found it."""

    decoded: Decoded
    member: int


def ranked_by_all(
    candidates: Sequence[Candidate],
    member_logits: Sequence[Seq],
    blank: int,
    speeds: int = 1,
) -> list[Candidate]:
    """What was found in one utterance, each spelling once, by the mean score of all, best first.

    `member_logits` are those [1, T, symbols] of each member; so many of them, side by side, are of
    one network, whose score is the log of their mean probability.
    """
    if not candidates:
        return []
    texts = list(dict.fromkeys(candidate.decoded.tokens for candidate in candidates))
    column_of = {tokens: column for column, tokens in enumerate(texts)}
    by_member = [_log_likelihoods(logits, texts, blank) for logits in member_logits]
    scores = torch.stack(by_member)  # [members, texts]
    by_network = scores.view(-1, speeds, len(texts)).logsumexp(1) - math.log(speeds)
    means = by_network.mean(0)
    best: dict[tuple[int, ...], Candidate] = {}
    for candidate in candidates:
        decoded = candidate.decoded
        decoded = decoded._replace(score=float(means[column_of[decoded.tokens]]))
        rival = best.get(decoded.tokens)
        if rival is None or decoded.total > rival.decoded.total:
            best[decoded.tokens] = Candidate(decoded, candidate.member)
    return sorted(best.values(), key=lambda candidate: -candidate.decoded.total)


def _log_likelihoods(logits: Seq, texts: Sequence[tuple[int, ...]], blank: int) -> Tensor:
    """log p(text | sound) [texts] of logits [1, T, symbols]; -inf where there is no path."""
    targets = [token for text in texts for token in text]
    losses = ctc_loss(
        logits.data.expand(len(texts), -1, -1),
        torch.tensor(targets, dtype=torch.int64),
        logits.lengths * len(texts),
        tuple(len(text) for text in texts),
        blank=blank,
        reduction="none",
    )
    return -losses.cpu()


def _check_member(index: int, member: LogitsSource, first: LogitsSource) -> None:
    """ValueError where a member gives no logits, or cannot be compared with the first."""
    if not isinstance(member, LogitsSource):
        raise ValueError(
            f"member {index} of the ensemble: expected a recogniser that gives logits "
            f"(a checkpoint or an ONNX file); got {type(member).__name__}"
        )
    same_alphabet = member.tokenizer.to_state() == first.tokenizer.to_state()
    if same_alphabet and member.rate_hz == first.rate_hz:
        return
    raise ValueError(
        f"member {index} of the ensemble: expected the alphabet and the sample rate of the first, "
        f"{first.tokenizer.size} symbols at {first.rate_hz} Hz; "
        f"got {member.tokenizer.size} at {member.rate_hz} Hz"
    )
