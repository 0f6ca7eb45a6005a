"""Speech and an interferer at a wanted SNR, in a room if one is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response

EARLY_S = 0.05  # reflections until then make speech no harder to follow (Bradley et al. 2003): they belong to the target
_FULL_SCALE = 0.999


@dataclass(frozen=True)
class Mixture:
    """What is heard and what it is made of: noisy [N] = speech in its room + interferer [N]; `clean` [N] is what shall be left."""

    noisy: Tensor
    clean: Tensor
    interferer: Tensor
    snr_db: float
    scale: float = 1.0  # that all three were multiplied by, so that nothing exceeds full scale


def mix(
    speech: Tensor,
    interferer: Tensor,
    snr_db: float,
    *,
    rir: Tensor | None = None,
    rate_hz: int = 16000,
) -> Mixture:
    """Speech [N] and an interferer [N] (see `fit_length`) so that their powers, as heard, are `snr_db` apart.

    With a room response `rir` [M] (at `rate_hz`) both sound in that room, and the target keeps the first 50 ms of reflections.
    ValueError where the lengths differ or one of the two is silent.
    """
    if speech.shape != interferer.shape or speech.dim() != 1:
        raise ValueError(
            f"expected speech and interferer of one shape [N]; got {tuple(speech.shape)} and {tuple(interferer.shape)}"
        )
    heard, clean = speech, speech
    if rir is not None:
        heard, interferer = reverberate(speech, rir), reverberate(interferer, rir)
        clean = reverberate(speech, rir, round(EARLY_S * rate_hz))
    powers = [part.double().square().mean() for part in (heard, interferer)]
    if min(powers) <= 0:
        raise ValueError(
            f"expected sound in both; the {'speech' if powers[0] <= 0 else 'interferer'} is silent"
        )
    interferer = interferer * float(
        gain_for_snr(powers[0], powers[1], torch.tensor(snr_db, dtype=torch.float64))
    )
    noisy = heard + interferer
    peak = max(float(part.abs().max()) for part in (noisy, clean, interferer))
    scale = min(1.0, _FULL_SCALE / peak)
    return Mixture(noisy * scale, clean * scale, interferer * scale, snr_db, scale)


def reverberate(samples: Tensor, rir: Tensor, early: int | None = None) -> Tensor:
    """Samples [N] in the room of response `rir` [M], in time with the dry ones and as loud; only reflections of the first `early` samples.

    The direct sound is the largest value of the response; what comes before it is left out. ValueError for an empty response.
    """
    return convolve(samples, room_response(rir, early))
