"""Sound as another microphone, room and day would have given it.

Drawn for each utterance, made on the model's device. Shape letters: B utterances, N samples,
R impulse responses of rooms (`rirs`), M their samples, K utterances of a batch that are changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ctcasr.front.mask import SpecAugment
from ctcasr.seq import Seq, to_device
from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response

_OWN_DRAW = 0x2545F491  # keeps what is drawn here apart from the masks
_DRAWS = 7  # numbers for each utterance, always as many: another share changes no other draw


@dataclass(frozen=True)
class _Draws:
    """What is drawn for each utterance, all [B] within 0..1."""

    in_room: np.ndarray
    rir: np.ndarray
    noisy: np.ndarray
    noise: np.ndarray
    noise_start: np.ndarray
    snr: np.ndarray
    gain: np.ndarray

    @staticmethod
    def of(seeds: Sequence[int]) -> _Draws:
        """The draws of utterances, each from its own seed."""
        rows = []
        for seed in seeds:
            generator = np.random.default_rng([seed, _OWN_DRAW])
            rows.append(generator.random(_DRAWS))
        columns = np.stack(rows).T
        return _Draws(*columns)


@dataclass(frozen=True)
class _Bank:
    """Noises one after another, and impulse responses; on one device."""

    noises: Tensor  # [sum of N]
    first: np.ndarray  # of each noise its first sample
    length: np.ndarray  # and its length
    rirs: Tensor  # [R, M]

    @staticmethod
    def of(noises: Sequence[Tensor], rirs: Sequence[Tensor]) -> _Bank:
        """The bank of noises [N] and impulse responses [M]; silence where there are none."""
        silence = torch.zeros(1)
        lengths = [len(noise) for noise in noises]
        length = np.array(lengths, dtype=np.int64)
        responses = [room_response(rir) for rir in rirs]
        padded = Seq.stack(responses or [silence], rate=1)
        return _Bank(
            noises=torch.cat(list(noises) or [silence]),
            first=np.cumsum(length) - length,
            length=length,
            rirs=padded.data,
        )

    def to(self, device: torch.device) -> _Bank:
        """The same on another device."""
        return replace(
            self,
            noises=self.noises.to(device),
            rirs=self.rirs.to(device),
        )


class Augment(SpecAugment):
    """Samples in a room, with a gain and with noise at a drawn SNR, then `masks` on the features.

    All from one seed per utterance. `noises` [N] and `rirs` (impulse responses of rooms [M]) are
    at the samples' rate. A share `noise_share` of the utterances gets a noise, from a drawn place
    on and again from its beginning where it is too short, `snr_db` (lowest, highest) below the
    speech as it sounds; a share `rir_share` sounds in a room (direct sound in place, energy kept);
    the gain is within +- `gain_db`. Lengths stay, padding stays zero.

    Raises:
        ValueError: for shares outside 0..1, for a range the wrong way round, for a noise without
            samples and a silent impulse response.

    Example:
        >>> augment = Augment([torch.ones(800)], noise_share=1.0, snr_db=(0.0, 0.0), gain_db=0.0)
        >>> samples = Seq.stack([torch.ones(4)], rate=16000)
        >>> augment.sound(samples, seeds=[1]).data
        tensor([[2., 2., 2., 2.]])
    """

    def __init__(
        self,
        noises: Sequence[Tensor] = (),
        rirs: Sequence[Tensor] = (),
        *,
        snr_db: tuple[float, float] = (0.0, 20.0),
        noise_share: float = 0.5,
        rir_share: float = 0.3,
        gain_db: float = 6.0,
        masks: SpecAugment | None = None,
    ) -> None:
        masks = masks or SpecAugment(0, 0.0, 0, 0.0)
        super().__init__(
            masks.time_masks,
            masks.time_width,
            masks.freq_masks,
            masks.freq_width,
            masks.warp,
        )
        lowest_db, highest_db = snr_db
        shares_fit = 0 <= noise_share <= 1 and 0 <= rir_share <= 1
        ranges_fit = gain_db >= 0 and lowest_db <= highest_db
        if not (shares_fit and ranges_fit):
            raise ValueError(
                "expected shares within 0..1, gain_db >= 0 and snr_db from low to high; got "
                f"{noise_share}, {rir_share}, {gain_db} and {snr_db}"
            )
        shapes = [tuple(noise.shape) for noise in noises]
        if any(len(shape) != 1 or shape[0] == 0 for shape in shapes):
            raise ValueError(f"expected noises [N] with samples; got {shapes}")
        self.noise_share = noise_share if noises else 0.0
        self.rir_share = rir_share if rirs else 0.0
        self.snr_db = snr_db
        self.gain_db = gain_db
        self._banks = {torch.device("cpu"): _Bank.of(noises, rirs)}

    @torch.no_grad()
    def sound(self, samples: Seq, seeds: Sequence[int]) -> Seq:
        """Samples [B, N] as they are learnt from, each row from its own seed alone."""
        draws = _Draws.of(seeds)
        samples = self._in_rooms(samples, draws)
        samples = self._with_noise(samples, draws)
        gain_db = (2 * draws.gain - 1) * self.gain_db
        gain = 10 ** (gain_db / 20)
        gain_rows = _on_device(gain.astype(np.float32), samples.data)
        return samples.with_data(samples.data * gain_rows[:, None])

    def recording(
        self, samples: Tensor, generator: torch.Generator, _utterance: object = None
    ) -> Tensor:
        """One recording [N] as `sound` makes it, by the generator's seed: a corpus's transform."""
        row = Seq.stack([samples], rate=1)
        return self.sound(row, [generator.initial_seed()]).data[0]

    def _in_rooms(self, samples: Seq, draws: _Draws) -> Seq:
        """Samples [B, N], a share of them through an impulse response."""
        in_room = np.flatnonzero(draws.in_room < self.rir_share)
        data = samples.data.clone()
        if len(in_room):
            bank = self._bank_on(samples.device)
            chosen = _choose(draws.rir[in_room], len(bank.rirs))
            rirs = bank.rirs[_on_device(chosen, data)]
            rows = _on_device(in_room, data)
            data[rows] = convolve(data[rows], rirs)
        return samples.with_data(data).zero_padding()

    def _with_noise(self, samples: Seq, draws: _Draws) -> Seq:
        """Samples [B, N], a share of them with noise at a drawn SNR."""
        noisy = np.flatnonzero(draws.noisy < self.noise_share)
        if not len(noisy):
            return samples
        rows = _on_device(noisy, samples.data)
        speech = samples.data[rows]
        noise = self._noise(samples, noisy, draws)
        noise = noise * samples.mask[rows]
        count = samples.device_lengths[rows].clamp_min(1)
        speech_power = speech.square().sum(1) / count
        noise_power = noise.square().sum(1) / count
        lowest_db, highest_db = self.snr_db
        range_db = highest_db - lowest_db
        snr_db = lowest_db + range_db * draws.snr[noisy]
        snr_rows = _on_device(snr_db.astype(np.float32), speech)
        gain = gain_for_snr(speech_power, noise_power, snr_rows)
        added = noise * gain[:, None]
        return samples.with_data(samples.data.index_add(0, rows, added))

    def _noise(self, samples: Seq, noisy: np.ndarray, draws: _Draws) -> Tensor:
        """Noise for the rows `noisy`, as loud as it was recorded, [K, N]."""
        bank = self._bank_on(samples.device)
        chosen = _choose(draws.noise[noisy], len(bank.length))
        length = bank.length[chosen]
        speech_length = np.array(samples.lengths)[noisy]
        # A long noise is cut at a drawn place, a short one begins anew.
        places_to_start = np.maximum(1, length - speech_length + 1)
        start = _choose(draws.noise_start[noisy], places_to_start)
        data = samples.data
        steps = torch.arange(data.shape[1], device=data.device)
        within = steps[None] + _on_device(start, data)[:, None]
        within = within % _on_device(length, data)[:, None]
        first = _on_device(bank.first[chosen], data)[:, None]
        return bank.noises[within + first]

    def _bank_on(self, device: torch.device) -> _Bank:
        """Noises and impulse responses on the device, moved there once."""
        if device not in self._banks:
            host = self._banks[torch.device("cpu")]
            self._banks[device] = host.to(device)
        return self._banks[device]


def _choose(draws: np.ndarray, choices: int | np.ndarray) -> np.ndarray:
    """One of so many choices for each draw within 0..1."""
    return (draws * choices).astype(np.int64)


def _on_device(values: np.ndarray, like: Tensor) -> Tensor:
    """Numbers from the host beside a tensor."""
    return to_device(torch.from_numpy(values), like.device)
