"""Sound as another microphone, room and day would have given it: drawn for each utterance, made on the model's device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ctcasr.front.mask import SpecAugment
from ctcasr.seq import Seq
from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response

_OWN_DRAW = 0x2545F491  # keeps what is drawn here apart from the masks
_DRAWS = 7  # numbers for each utterance, always as many: another share changes no other draw


@dataclass(frozen=True)
class _Bank:
    """Noises one after another [sum of N], with the first sample and length of each, and rooms [R, M]; on one device."""

    noises: Tensor
    first: tuple[int, ...]
    length: tuple[int, ...]
    rooms: Tensor


class Augment(SpecAugment):
    """Samples in a room, with a gain and with noise at a drawn SNR, then `masks` on the features; all from one seed per utterance.

    `noises` [N] and `rooms` (impulse responses [M]) are at the samples' rate. A share `noise_share` of the utterances hears a noise, from a
    drawn place on and again from its beginning where it is too short, `snr_db` (lowest, highest) below the speech as heard; a share
    `room_share` sounds in a room (direct sound in place, energy kept); the gain is within +- `gain_db`. Lengths stay, padding stays zero.
    """

    def __init__(
        self,
        noises: Sequence[Tensor] = (),
        rooms: Sequence[Tensor] = (),
        *,
        snr_db: tuple[float, float] = (0.0, 20.0),
        noise_share: float = 0.5,
        room_share: float = 0.3,
        gain_db: float = 6.0,
        masks: SpecAugment | None = None,
    ) -> None:
        masks = masks or SpecAugment(0, 0.0, 0, 0.0)
        super().__init__(masks.time_masks, masks.time_width, masks.freq_masks, masks.freq_width)
        if not (
            0 <= noise_share <= 1
            and 0 <= room_share <= 1
            and gain_db >= 0
            and snr_db[0] <= snr_db[1]
        ):
            raise ValueError(
                "expected shares within 0..1, gain_db >= 0 and snr_db from low to high; got "
                f"{noise_share}, {room_share}, {gain_db} and {snr_db}"
            )
        if any(noise.dim() != 1 or not noise.numel() for noise in noises):
            raise ValueError(
                f"expected noises [N] with samples; got {[tuple(noise.shape) for noise in noises]}"
            )
        self.noise_share, self.room_share = (
            noise_share if noises else 0.0,
            room_share if rooms else 0.0,
        )
        self.snr_db, self.gain_db = snr_db, gain_db
        length = tuple(len(noise) for noise in noises)
        first = tuple(int(n) for n in np.cumsum([0, *length])[:-1])
        responses = [room_response(rir) for rir in rooms] or [torch.zeros(1)]
        host = _Bank(
            torch.cat([*noises]) if noises else torch.zeros(1),
            first,
            length,
            Seq.stack(responses, 1).data,
        )
        self._banks = {torch.device("cpu"): host}

    @torch.no_grad()
    def sound(self, samples: Seq, seeds: Sequence[int]) -> Seq:
        """Samples [B, N] as they are learnt from, each row from its own seed, whatever else is in the batch."""
        draws = np.stack(
            [np.random.default_rng([seed, _OWN_DRAW]).random(_DRAWS) for seed in seeds]
        )
        bank, data = self._on(samples.device), samples.data.clone()
        in_room, noisy = (
            np.flatnonzero(draws[:, 0] < self.room_share),
            np.flatnonzero(draws[:, 2] < self.noise_share),
        )
        if len(in_room):
            rows = self._tensor(in_room, data)
            rooms = bank.rooms[
                self._tensor((draws[in_room, 1] * len(bank.rooms)).astype(np.int64), data)
            ]
            data[rows] = convolve(data[rows], rooms)
        data = samples.with_data(data).zero_padding().data
        if len(noisy):
            rows = self._tensor(noisy, data)
            data = data.index_add(
                0, rows, self._noise(samples.with_data(data), noisy, rows, draws[noisy], bank)
            )
        gain_db = (2 * draws[:, 6] - 1) * self.gain_db
        return samples.with_data(
            data * self._tensor((10 ** (gain_db / 20)).astype(np.float32), data)[:, None]
        )

    def _noise(
        self, samples: Seq, noisy: np.ndarray, rows: Tensor, draws: np.ndarray, bank: _Bank
    ) -> Tensor:
        """What is added to the rows `noisy`, [rows, N]."""
        which = (draws[:, 3] * len(bank.length)).astype(np.int64)
        sizes = np.array(bank.length)[which]
        spare = np.maximum(
            1, sizes - np.array(samples.lengths)[noisy] + 1
        )  # a long one is cut, a short one begins anew
        start, first, length = (
            self._tensor(n, samples.data)[:, None]
            for n in ((draws[:, 4] * spare).astype(np.int64), np.array(bank.first)[which], sizes)
        )
        steps = torch.arange(samples.data.shape[1], device=samples.device)
        pieces = bank.noises[(steps[None] + start) % length + first] * samples.mask[rows]
        count = samples.device_lengths[rows].clamp_min(1)
        speech, noise = (part.square().sum(1) / count for part in (samples.data[rows], pieces))
        low, high = self.snr_db
        snr_db = self._tensor((low + (high - low) * draws[:, 5]).astype(np.float32), samples.data)
        return pieces * gain_for_snr(speech, noise, snr_db)[:, None]

    def _on(self, device: torch.device) -> _Bank:
        """Noises and rooms on the device, moved there once."""
        if device not in self._banks:
            host = self._banks[torch.device("cpu")]
            self._banks[device] = _Bank(
                host.noises.to(device), host.first, host.length, host.rooms.to(device)
            )
        return self._banks[device]

    @staticmethod
    def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
        return torch.from_numpy(values).to(like.device, non_blocking=True)
