"""Enhancement: negative SI-SNR in training, and, with a listener, its CTC loss; SI-SDR on fixed scenes in checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.listener import Listener
from ctcasr.enhance.model import EnhancerModel
from ctcasr.enhance.spec import describe_enhancer, enhancer_from
from ctcasr.records import Record
from ctcasr.scoring.distortion import Distortions, si_sdr, silent
from ctcasr.seq import Seq
from ctcasr.task import Gather, Loss, Score, added, alone

BEST_DB = 30.0  # nothing is gained by more, so that easy scenes do not drown the others


class Enhance:
    """Trains an EnhancerModel to leave the speech only; `listening` weighs the listener's CTC loss (nats per token) against SI-SNR (dB)."""

    def __init__(
        self,
        model: EnhancerModel,
        spec: Mapping[str, Any],
        listener: Listener | None = None,
        listening: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        if listener is not None and listener.rate_hz != model.rate_hz:
            raise ValueError(
                f"expected a listener at {model.rate_hz} Hz, as the enhancer; got {listener.rate_hz} Hz"
            )
        self.network, self.spec, self.notes = model, dict(spec), dict(notes or {})
        self.listener, self.listening = listener, listening if listener is not None else 0.0

    @property
    def title(self) -> str:
        """The network in a few words."""
        return describe_enhancer(enhancer_from(self.spec))

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything in the enhancer; nothing of the listener."""
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        """Negative SI-SNR of each scene, no lower than -30 dB, and the listener's loss; a scene without speech is left out and named."""
        rows, ratios, heard = self._compared(self.network(batch.audio, batch.video), batch)
        quiet = silent(_clean(batch)).tolist()
        rows = rows.masked_fill(torch.tensor(quiet, device=rows.device), 0.0)
        left_out = tuple(
            f"{name}: its target is silent" for name, no in zip(batch.ids, quiet, strict=True) if no
        )

        def evidence() -> dict[str, float]:
            found = {"si_sdr": float(ratios.detach().mean())}
            return (
                found if heard is None else {**found, "listener_loss": float(heard.detach().mean())}
            )

        return Loss(rows.sum(), len(batch) - len(left_out), rows.detach(), left_out, evidence)

    def after_step(self, step: int, total: int) -> None:
        """Nothing."""

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Loss (the key) and SI-SDR before and after over all batches."""
        was_training = self.network.training
        self.network.eval()
        tally, total, count, listened, samples = Distortions(), 0.0, 0, 0.0, list[dict[str, str]]()
        for batch in batches:
            clean = _clean(batch)
            enhanced = self.network(batch.audio, batch.video)
            rows, _, heard = self._compared(enhanced, batch)
            keep = ~silent(clean)
            total, count = total + float(rows[keep].sum()), count + int(keep.sum())
            listened += 0.0 if heard is None else float(heard[keep].sum())
            part = Distortions.of(batch.audio, enhanced, clean)
            kept = [name for name, sounds in zip(batch.ids, keep.tolist(), strict=True) if sounds]
            samples += [
                {"id": name, "reference": f"{before:.1f} dB", "hypothesis": f"{after:.1f} dB"}
                for name, before, after in zip(kept, part.before, part.after, strict=True)
            ]
            tally += part
        self.network.train(was_training)
        tally, total, count, listened, samples = added(
            gather((tally, total, count, listened, samples))
        )
        loss = total / count if count else math.inf
        figures = {"loss": loss, **tally.metrics()}
        if self.listening and count:
            figures["listener_loss"] = listened / count
        few = [samples[len(samples) * k // 6] for k in (1, 3, 5)] if samples else []
        return Score((loss,), figures, few)

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Nothing: there is no verdict on enhancers; `ctcasr score-enhanced` compares them."""
        return None

    def export(self) -> dict[str, Any]:
        """What `Enhancer.load` reads."""
        return Enhancer.payload(self.network, self.spec, self.notes)

    def _compared(self, enhanced: Seq, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Objective [B], SI-SNR [B] in dB, and the listener's loss [B]."""
        ratios = si_sdr(enhanced, _clean(batch))
        rows = -ratios.clamp(max=BEST_DB)
        if self.listener is None or not self.listening:
            return rows, ratios, None
        heard = self.listener.losses(enhanced, batch)
        return rows + self.listening * heard, ratios, heard


def _clean(batch: Batch) -> Seq:
    if batch.clean is None:
        raise ValueError(
            f"{batch.ids[0]}: expected the clean speech of the scene; the batch has none: use MixtureCorpus or SceneCorpus"
        )
    return batch.clean
