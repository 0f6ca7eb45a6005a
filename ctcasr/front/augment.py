"""Sound as another microphone, room and day would have given it.

Drawn for each utterance, made on the model's device. Shape letters: B utterances, N samples,
R impulse responses of rooms (`rirs`), M their samples, K utterances of a batch that are changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ctcasr.front.mask import SpecAugment, check_seeds
from ctcasr.seq import Seq, to_device
from ctcasr.signal.acoustics import convolve, gain_for_snr, room_response
from ctcasr.signal.coloured import coloured_noises

_OWN_DRAW = 0x2545F491  # keeps what is drawn here apart from the masks
_DRAWS = 11  # numbers for each utterance, always as many: another share changes no other draw
_HISSES = 48  # noises of their own colour
_HISS_S = 6.0
_HISS_SHARE = 0.5  # of the utterances that hear one
_HISS_SEED = 0


@dataclass(frozen=True)
class _NoiseDraws:
    """What is drawn for each utterance about its noise, all [B] within 0..1."""

    noisy: np.ndarray  # whether there is any
    noise: np.ndarray  # which one
    start: np.ndarray  # where it begins
    snr: np.ndarray


@dataclass(frozen=True)
class _Draws:
    """What is drawn for each utterance, all [B] within 0..1."""

    in_room: np.ndarray
    rir: np.ndarray
    recorded: _NoiseDraws
    gain: np.ndarray
    hiss: _NoiseDraws

    @staticmethod
    def of(seeds: Sequence[int]) -> _Draws:
        """The draws of utterances, each from its own seed."""
        rows = []
        for seed in seeds:
            generator = np.random.default_rng([seed, _OWN_DRAW])
            rows.append(generator.random(_DRAWS))
        columns = np.stack(rows).T
        return _Draws(
            in_room=columns[0],
            rir=columns[1],
            recorded=_NoiseDraws(*columns[2:6]),
            gain=columns[6],
            hiss=_NoiseDraws(*columns[7:]),
        )


@dataclass(frozen=True)
class _Noises:
    """Noises one after another, on one device: `share` of the utterances hear one, at `snr_db`.

    Where `circular`, a noise may begin anywhere, as its end goes over into its beginning.
    """

    samples: Tensor  # [sum of N]
    first: np.ndarray  # of each noise its first sample
    length: np.ndarray  # and its length
    share: float
    snr_db: tuple[float, float]  # lowest, highest
    circular: bool

    @staticmethod
    def of(
        noises: Sequence[Tensor],
        share: float,
        snr_db: tuple[float, float],
        circular: bool = False,
    ) -> _Noises:
        """The bank of noises [N], in float32; no utterance hears one where there are none."""
        lengths = [len(noise) for noise in noises]
        length = np.array(lengths, dtype=np.int64)
        return _Noises(
            samples=torch.cat(list(noises) or [torch.zeros(1)]).float(),
            first=np.cumsum(length) - length,
            length=length,
            share=share if noises else 0.0,
            snr_db=snr_db,
            circular=circular,
        )

    def on(self, device: torch.device) -> _Noises:
        """The same on another device."""
        return replace(self, samples=self.samples.to(device))

    def add_to(self, samples: Seq, draws: _NoiseDraws) -> Seq:
        """Samples [B, N], a share of them with noise at a drawn SNR."""
        noisy = np.flatnonzero(draws.noisy < self.share)
        if not len(noisy):
            return samples
        rows = _on_device(noisy, samples.data)
        speech = samples.data[rows]
        noise = self._drawn(samples, noisy, draws)
        noise = noise * samples.mask[rows]
        count = samples.device_lengths[rows].clamp_min(1)
        speech_power = speech.square().sum(1) / count
        noise_power = noise.square().sum(1) / count
        lowest_db, highest_db = self.snr_db
        range_db = highest_db - lowest_db
        snr_db = lowest_db + range_db * draws.snr[noisy]
        snr_rows = _on_device(snr_db.astype(np.float32), speech)
        gain = gain_for_snr(speech_power, noise_power, snr_rows)
        heard = noise * gain[:, None]
        return samples.with_data(samples.data.index_add(0, rows, heard))

    def _drawn(self, samples: Seq, noisy: np.ndarray, draws: _NoiseDraws) -> Tensor:
        """Noise for the rows `noisy`, as loud as it was recorded, [K, N]."""
        chosen = _choose(draws.noise[noisy], len(self.length))
        length = self.length[chosen]
        speech_length = np.array(samples.lengths)[noisy]
        places_to_start = length
        if not self.circular:  # a long noise is cut at a drawn place, a short one begins anew
            places_to_start = np.maximum(1, length - speech_length + 1)
        start = _choose(draws.start[noisy], places_to_start)
        data = samples.data
        steps = torch.arange(data.shape[1], device=data.device)
        within = steps[None] + _on_device(start, data)[:, None]
        within = within % _on_device(length, data)[:, None]
        first = _on_device(self.first[chosen], data)[:, None]
        return self.samples[within + first]


@dataclass(frozen=True)
class _Sources:
    """Recorded noises, hiss and impulse responses; on one device."""

    recorded: _Noises
    hiss: _Noises
    rirs: Tensor  # [R, M]

    def on(self, device: torch.device) -> _Sources:
        """The same on another device."""
        return _Sources(self.recorded.on(device), self.hiss.on(device), self.rirs.to(device))


class Augment(SpecAugment):
    """Samples in a room, with a gain and with noise at a drawn SNR, then `masks` on the features.

    All from one seed per utterance. `noises` [N] and `rirs` (impulse responses of rooms [M]) are
    at the samples' rate. A share `noise_share` of the utterances gets a noise, from a drawn place
    on and again from its beginning where it is too short, `snr_db` (lowest, highest) below the
    speech as it sounds; a share `rir_share` sounds in a room (direct sound in place, energy kept);
    the gain is within +- `gain_db`. With `hiss_db` (lowest, highest SNR) half of the utterances
    hear noise of a drawn colour besides, from rumble to hiss, which is made at `rate_hz` and needs
    no recording. Lengths stay, padding stays zero.

    Raises:
        ValueError: for shares outside 0..1, for a range the wrong way round, for a noise without
            samples or with NaN, a silent impulse response, and `hiss_db` without `rate_hz`.

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
        hiss_db: tuple[float, float] | None = None,
        rate_hz: int | None = None,
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
        ranges = [snr_db] if hiss_db is None else [snr_db, hiss_db]
        shares_fit = 0 <= noise_share <= 1 and 0 <= rir_share <= 1
        ranges_fit = gain_db >= 0 and all(lowest <= highest for lowest, highest in ranges)
        if not (shares_fit and ranges_fit):
            raise ValueError(
                "expected shares within 0..1, gain_db >= 0, snr_db and hiss_db from low to high; "
                f"got {noise_share}, {rir_share}, {gain_db}, {snr_db} and {hiss_db}"
            )
        shapes = [tuple(noise.shape) for noise in noises]
        if any(len(shape) != 1 or shape[0] == 0 for shape in shapes):
            raise ValueError(f"expected noises [N] with samples; got {shapes}")
        if not all(bool(noise.isfinite().all()) for noise in noises):
            raise ValueError("expected noises of finite samples; got NaN or infinite ones")
        self.rir_share = rir_share if rirs else 0.0
        self.gain_db = gain_db
        responses = [room_response(rir).float() for rir in rirs]
        sources = _Sources(
            recorded=_Noises.of(noises, noise_share, snr_db),
            hiss=_hiss(hiss_db, rate_hz),
            rirs=Seq.stack(responses or [torch.zeros(1)], rate=1).data,
        )
        self._sources = {torch.device("cpu"): sources}

    @torch.no_grad()
    def sound(self, samples: Seq, seeds: Sequence[int]) -> Seq:
        """Samples [B, N] as they are learnt from, each row from its own seed alone.

        Raises ValueError for another number of seeds.
        """
        check_seeds(samples, seeds)
        draws = _Draws.of(seeds)
        sources = self._sources_on(samples.device)
        samples = self._in_rooms(samples, draws, sources.rirs)
        samples = sources.recorded.add_to(samples, draws.recorded)
        samples = sources.hiss.add_to(samples, draws.hiss)
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

    def _in_rooms(self, samples: Seq, draws: _Draws, rirs: Tensor) -> Seq:
        """Samples [B, N], a share of them through one of the impulse responses [R, M]."""
        in_room = np.flatnonzero(draws.in_room < self.rir_share)
        data = samples.data.clone()
        if len(in_room):
            chosen = _choose(draws.rir[in_room], len(rirs))
            rows = _on_device(in_room, data)
            data[rows] = convolve(data[rows], rirs[_on_device(chosen, data)])
        return samples.with_data(data).zero_padding()

    def _sources_on(self, device: torch.device) -> _Sources:
        """What is heard beside speech on the device, moved there once."""
        if device not in self._sources:
            host = self._sources[torch.device("cpu")]
            self._sources[device] = host.on(device)
        return self._sources[device]


def _hiss(snr_db: tuple[float, float] | None, rate_hz: int | None) -> _Noises:
    """Noises of drawn colours, which half of the utterances hear; none without an SNR."""
    if snr_db is None:
        return _Noises.of([], share=0.0, snr_db=(0.0, 0.0))
    if rate_hz is None:
        raise ValueError("expected rate_hz with hiss_db: the rate at which it is made")
    noises = coloured_noises(_HISSES, _HISS_S, rate_hz, _HISS_SEED)
    return _Noises.of(noises, _HISS_SHARE, snr_db, circular=True)


def snr_range(text: str) -> tuple[float, float] | None:
    """A lowest and a highest SNR in dB, of "LOWEST,HIGHEST"; None of "none".

    Raises:
        ValueError: for anything else.

    Example:
        >>> snr_range("15,45"), snr_range("none")
        ((15.0, 45.0), None)
    """
    if text == "none":
        return None
    try:
        lowest_db, highest_db = map(float, text.split(","))
    except ValueError:
        lowest_db, highest_db = 1.0, 0.0
    if not -math.inf < lowest_db <= highest_db < math.inf:
        raise ValueError(f"hiss: expected LOWEST,HIGHEST in dB, as 15,45, or none; got {text!r}")
    return lowest_db, highest_db


def _choose(draws: np.ndarray, choices: int | np.ndarray) -> np.ndarray:
    """One of so many choices for each draw within 0..1."""
    return (draws * choices).astype(np.int64)


def _on_device(values: np.ndarray, like: Tensor) -> Tensor:
    """Numbers from the host beside a tensor."""
    return to_device(torch.from_numpy(values), like.device)
