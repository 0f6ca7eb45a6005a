"""Enhancement: negative SI-SDR in training, and a listener's CTC loss; SI-SDR in checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.enhance.check_tally import CheckTally
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.listener import Listener
from ctcasr.enhance.model import EnhancerModel
from ctcasr.enhance.spec import describe_enhancer, enhancer_from
from ctcasr.records import Record
from ctcasr.scoring.distortion import Distortions, si_sdr, silent
from ctcasr.seq import Seq, to_device
from ctcasr.task import Gather, Loss, Score, alone, three_of

BEST_DB = 30.0  # nothing is gained by more, so that easy scenes do not drown the others


class Enhance:
    """Trains an EnhancerModel to leave the speech only.

    `listening` weighs the listener's CTC loss (nats per token) against SI-SDR (dB).
    """

    def __init__(
        self,
        model: EnhancerModel,
        spec: Mapping[str, Any],
        listener: Listener | None = None,
        listening: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises ValueError for a listener of another sample rate."""
        if listener is not None and listener.rate_hz != model.rate_hz:
            raise ValueError(
                f"expected a listener at {model.rate_hz} Hz, as the enhancer; "
                f"got {listener.rate_hz} Hz"
            )
        self.network = model
        self.spec = dict(spec)
        self.notes = dict(notes or {})
        self.listener = listener
        self.listening = 0.0 if listener is None else listening

    @property
    def title(self) -> str:
        """The network in a few words."""
        return describe_enhancer(enhancer_from(self.spec))

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything in the enhancer; nothing of the listener."""
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        """Negative SI-SDR of each scene, no lower than -30 dB, and the listener's loss.

        A scene without speech is left out and named.
        """
        enhanced = self.network(batch.audio, batch.video)
        compared = self._compare(enhanced, batch)
        is_silent = silent_rows(batch)
        losses = compared.losses
        if any(is_silent):
            quiet_rows = to_device(torch.tensor(is_silent), losses.device)
            losses = losses.masked_fill(quiet_rows, 0.0)
        left_out = []
        for utterance, quiet in zip(batch.utterances, is_silent, strict=True):
            if quiet:
                left_out.append(f"{utterance.full_name}: its target is silent")
        weight = len(batch) - len(left_out)
        return Loss(losses.sum(), weight, losses.detach(), tuple(left_out), compared.evidence)

    def after_step(self, step: int, total: int) -> None:
        """Nothing."""

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Loss (the key) and SI-SDR before and after over all batches."""
        was_training = self.network.training
        self.network.eval()
        tally = CheckTally()
        for batch in batches:
            tally += self._check_batch(batch)
        self.network.train(was_training)
        tally = tally.merged(gather)
        metrics = {"loss": tally.loss, **tally.distortions.metrics()}
        if self.listening and tally.listener_loss is not None:
            metrics["listener_loss"] = tally.listener_loss
        return Score((tally.loss,), metrics, three_of(tally.samples))

    def _check_batch(self, batch: Batch) -> CheckTally:
        clean = clean_of(batch)
        enhanced = self.network(batch.audio, batch.video)
        compared = self._compare(enhanced, batch)
        sounding = ~silent(clean)
        distortions = Distortions.of(batch.audio, enhanced, clean)
        ids = [batch.ids[row] for row in sounding.nonzero().flatten().tolist()]
        listener_sum = 0.0
        if compared.listener is not None:
            listener_sum = float(compared.listener[sounding].sum())
        return CheckTally(
            distortions,
            loss_sum=float(compared.losses[sounding].sum()),
            listener_sum=listener_sum,
            scenes=int(sounding.sum()),
            samples=CheckTally.samples_of(ids, distortions),
        )

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Nothing: there is no verdict on enhancers; `ctcasr score-enhanced` compares them."""
        return None

    def export(self) -> dict[str, Any]:
        """What `Enhancer.load` reads."""
        return Enhancer.payload(self.network, self.spec, self.notes)

    def _compare(self, enhanced: Seq, batch: Batch) -> Compared:
        ratios = si_sdr(enhanced, clean_of(batch))
        losses = -ratios.clamp(max=BEST_DB)
        if self.listener is None or not self.listening:
            return Compared(losses, ratios)
        listener = self.listener.losses(enhanced, batch)
        return Compared(losses + self.listening * listener, ratios, listener)


@dataclass(frozen=True, eq=False)
class Compared:
    """Enhanced samples beside clean ones."""

    losses: Tensor  # [B] objective
    ratios: Tensor  # [B] SI-SDR in dB
    listener: Tensor | None = None  # [B] nats per token

    def evidence(self) -> dict[str, float]:
        """Scalars for a step's record: si_sdr, and listener_loss where somebody listens."""
        means = {"si_sdr": float(self.ratios.detach().mean())}
        if self.listener is not None:
            means["listener_loss"] = float(self.listener.detach().mean())
        return means


def silent_rows(batch: Batch) -> tuple[bool, ...]:
    """Which scenes have no speech, as the loader has seen; else, waits for the device."""
    return batch.silent or tuple(silent(clean_of(batch)).tolist())


def clean_of(batch: Batch) -> Seq:
    """The clean speech of a batch; ValueError where it has none."""
    if batch.clean is None:
        raise ValueError(
            f"{batch.ids[0]}: expected the clean speech of the scene; the batch has none: "
            "use MixtureCorpus or SceneCorpus"
        )
    return batch.clean
