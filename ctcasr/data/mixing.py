"""Speech and an interferer at a wanted SNR, in a room if one is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response

# Reflections until then make speech no harder to follow (Bradley et al. 2003): part of the target.
EARLY_S = 0.05
_FULL_SCALE = 0.999


@dataclass(frozen=True)
class Mixture:
    """What sounds and what it is made of: noisy [N] = speech in its room + interferer [N].

    `clean` [N] is what shall be left.
    """

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
    """Speech [N] and an interferer [N] (see `fit_length`), powers `snr_db` apart as they sound.

    With a room response `rir` [M] (at `rate_hz`) both sound in that room, and the target keeps
    the first 50 ms of reflections.

    Raises:
        ValueError: where the lengths differ or one of the two is silent.

    Example:
        >>> mixture = mix(torch.tensor([0.5, -0.5]), torch.tensor([0.1, 0.1]), snr_db=0.0)
        >>> mixture.interferer
        tensor([0.4995, 0.4995])
    """
    if speech.shape != interferer.shape or speech.dim() != 1:
        raise ValueError(
            "expected speech and interferer of one shape [N]; "
            f"got {tuple(speech.shape)} and {tuple(interferer.shape)}"
        )
    clean = speech
    if rir is not None:
        clean = reverberate(speech, rir, round(EARLY_S * rate_hz))
        speech = reverberate(speech, rir)
        interferer = reverberate(interferer, rir)
    speech_power = _power(speech)
    interferer_power = _power(interferer)
    if speech_power <= 0 or interferer_power <= 0:
        silent = "speech" if speech_power <= 0 else "interferer"
        raise ValueError(f"expected sound in both; the {silent} is silent")
    wanted_db = torch.tensor(snr_db, dtype=torch.float64)
    interferer = interferer * float(gain_for_snr(speech_power, interferer_power, wanted_db))
    noisy = speech + interferer
    peak = max(float(part.abs().max()) for part in (noisy, clean, interferer))
    scale = min(1.0, _FULL_SCALE / peak)
    return Mixture(noisy * scale, clean * scale, interferer * scale, snr_db, scale)


def reverberate(samples: Tensor, rir: Tensor, early: int | None = None) -> Tensor:
    """Samples [N] in the room of response `rir` [M], in time with the dry ones and as loud.

    Only reflections of the first `early` samples. The direct sound is the largest value of the
    response; what comes before it is left out.

    Raises:
        ValueError: for an empty response.
    """
    return convolve(samples, room_response(rir, early))


def _power(samples: Tensor) -> Tensor:
    return samples.double().square().mean()
