"""Several recognisers as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ctcasr.ctc import Decoded, ctc_loss, penalised
from ctcasr.recognise.decoder import Decoder
from ctcasr.recognise.hypothesis import Hypothesis
from ctcasr.recognise.recogniser import Recogniser, found
from ctcasr.seq import Seq

NBEST = 8  # hypotheses that each of several members is asked for


class Ensemble(Recogniser):
    """Recognisers with one alphabet: each finds hypotheses, and the mean of all their log p(text | sound) ranks them.

    What a decoder's language model, lexicon or hotwords added to a hypothesis is kept. Posteriors are not averaged frame by frame:
    trainings differ in where they place their spikes, and the members may differ in their strides. Word times are the finder's.
    """

    def __init__(self, members: Sequence[Recogniser]) -> None:
        if not members:
            raise ValueError("expected at least one recogniser; got none")
        first = members[0]
        for index, other in enumerate(members):
            if (other.tokenizer.to_state(), other.rate_hz) != (
                first.tokenizer.to_state(),
                first.rate_hz,
            ):
                raise ValueError(
                    f"member {index} of the ensemble: expected the alphabet and the sample rate of the first, "
                    f"{first.tokenizer.size} symbols at {first.rate_hz} Hz; got {other.tokenizer.size} at {other.rate_hz} Hz"
                )
        super().__init__(first.model, first.tokenizer, first.spec, first.notes)
        self.members = tuple(members)

    @staticmethod
    def read(first: str, others: str | None) -> Ensemble:
        """The checkpoint `first`, and those of `others`, with commas between."""
        return Ensemble(
            [Recogniser.load(path) for path in (first, *(others.split(",") if others else ()))]
        )

    @torch.no_grad()
    def hear(self, samples: Seq) -> list[Seq]:
        """Logits [B, T, symbols] of each member."""
        heard = [member.logits(samples.to(member.device)) for member in self.members]
        return [
            logits.with_data(penalised(logits.data, self.tokenizer.blank, self.blank_penalty))
            for logits in heard
        ]

    def rank(self, heard: Sequence[Seq], decoder: Decoder | None = None) -> list[list[Decoded]]:
        """Hypotheses of each row, best first, of what the members have heard; greedy, or by a `decoder` (which should give several)."""
        rows = [found(logits, self.tokenizer.blank, decoder) for logits in heard]
        if len(rows) == 1:
            return rows[0]
        return [
            self._ranked(
                [logits.rows([row]) for logits in heard],
                [ones[row] for ones in rows],
                decoder is not None,
            )
            for row in range(len(heard[0]))
        ]

    def _decode(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        return [
            self._hypothesis(row or [Decoded((), (), -math.inf)])
            for row in self.rank(self.hear(samples), decoder)
        ]

    def _ranked(
        self, heard: list[Seq], ones_of: list[list[Decoded]], decoded: bool
    ) -> list[Decoded]:
        """What was found in one utterance, by the mean score of all members, best first."""
        texts = dict.fromkeys(one.tokens for ones in ones_of for one in ones)
        if not texts:
            return []
        scores = torch.stack(
            [_log_likelihoods(logits, list(texts), self.tokenizer.blank) for logits in heard]
        )
        place, best = (
            {tokens: index for index, tokens in enumerate(texts)},
            dict[tuple[int, ...], Decoded](),
        )
        for member, one in ((member, one) for member, ones in enumerate(ones_of) for one in ones):
            index = place[one.tokens]
            # flashlight's score has its language model inside; ours comes apart, as a bonus.
            bonus = one.bonus + (one.score - float(scores[member, index]) if decoded else 0.0)
            weighed = one._replace(score=float(scores[:, index].mean()), bonus=bonus)
            if one.tokens not in best or weighed.total > best[one.tokens].total:
                best[one.tokens] = weighed
        return sorted(best.values(), key=lambda one: -one.total)


def _log_likelihoods(logits: Seq, texts: list[tuple[int, ...]], blank: int) -> Tensor:
    """log p(text | sound) [texts] of one row of logits [1, T, C]; -inf where there is no path."""
    many, sizes = len(texts), tuple(len(text) for text in texts)
    targets = torch.tensor([token for text in texts for token in text], dtype=torch.int64)
    rows = ctc_loss(
        logits.data.expand(many, -1, -1),
        targets,
        logits.lengths * many,
        sizes,
        blank=blank,
        reduction="none",
    )
    return -rows.cpu()
