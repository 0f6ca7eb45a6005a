"""Samples to log spectrogram or log mel features, on whatever device the samples are.

Shape letters: B utterances, N samples, T frames, F bins or bands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.front.mel import mel_filters
from ctcasr.front.warp import warp_frequencies
from ctcasr.seq import Framing, Seq

# Power below which nothing is heard: about what rounding to 16 bits leaves in one bin. It keeps the
# logarithm of digital silence finite.
FLOOR = 1e-6
# Mean power below which an utterance is silent whatever the gain: nothing is made out of it.
SILENCE = 1e-20
# Windows that hardly touch a sample say little about it: dividing by less than this weight would
# turn rounding into clicks.
_LEAST_WEIGHT = 1e-3

# cuFFT makes a plan for each number of frames, and keeps it: batches of like lengths share theirs.
_CUDA_FRAMES = 16


class Spectrogram(nn.Module):
    """Linear spectrogram of samples [B, N] as frames [B, T, n_fft // 2 + 1].

    T = N // hop + 1 (centred, zeros beyond the ends). Not `centred`: whole windows only, T =
    (N - n_fft) // hop + 1. With `range_db`, decibels below the loudest point of the clip, none
    lower than that range; otherwise the natural logarithm. With `floor_db`, levels above the mean
    of the utterance, so that its gain changes nothing.

    Raises:
        ValueError: for a window longer than `n_fft`, another power than 1 or 2, and for a range or
            a floor without log.

    Example:
        >>> spectrogram = Spectrogram(16000)
        >>> spectrogram(Seq.stack([torch.zeros(16000)], rate=16000)).data.shape
        torch.Size([1, 101, 257])
    """

    window: Tensor

    def __init__(
        self,
        rate_hz: int,
        n_fft: int = 512,
        window_s: float = 0.025,
        hop_s: float = 0.010,
        power: float = 2.0,
        log: bool = True,
        centred: bool = True,
        range_db: float = 0.0,
        floor_db: float = 0.0,
    ) -> None:
        super().__init__()
        self.rate_hz = rate_hz
        self.n_fft = n_fft
        self.power = power
        self.log = log
        self.centred = centred
        self.range_db = range_db
        self.floor_db = floor_db
        self.win = round(window_s * rate_hz)
        self.hop = round(hop_s * rate_hz)
        if not 1 <= self.win <= n_fft or self.hop < 1:
            raise ValueError(
                f"expected a window of 1..n_fft = {n_fft} samples and a hop of at least 1; got "
                f"window_s={window_s} ({self.win} samples), hop_s={hop_s} ({self.hop} samples) "
                f"at {rate_hz} Hz"
            )
        if power not in (1.0, 2.0):
            raise ValueError(f"expected power 1 (amplitude) or 2 (power); got {power}")
        for name, value in (("range_db", range_db), ("floor_db", floor_db)):
            if value < 0 or (value and not log):
                raise ValueError(
                    f"{name}: expected decibels above 0 with log, or 0 for none; "
                    f"got {value:g} with log={log}"
                )
        self.register_buffer("window", torch.hann_window(self.win), persistent=False)
        self.bins = n_fft // 2 + 1
        beyond_ends = n_fft // 2 if centred else 0
        self.framing = Framing(n_fft, self.hop, beyond_ends, beyond_ends)

    def transform(self, samples: Seq) -> Seq:
        """Short-time Fourier transform, complex [B, T, n_fft // 2 + 1], of samples [B, N].

        One frame of padding where no window fits.

        Raises:
            ValueError: for anything but samples at the right rate.
        """
        if samples.data.dim() != 2 or samples.rate != self.rate_hz:
            raise ValueError(
                f"expected samples [B, N] at {self.rate_hz} Hz; got {tuple(samples.data.shape)} "
                f"at {float(samples.rate):g} Hz: were features handed in, or another sample rate?"
            )
        data = samples.zero_padding().data.float()
        # Zeros, not reflection, beyond the ends: what an utterance's last frame sees is then the
        # same alone and in a batch.
        before, behind = self.framing.before, self.framing.after
        if data.is_cuda:
            behind += _lacking(data.shape[1], _CUDA_FRAMES * self.hop)
        behind = max(behind, self.n_fft - before - data.shape[1])
        padded = functional.pad(data, (before, behind))
        # Later layers want a frame, if only one of padding.
        frames = max(1, self.framing.count(data.shape[1]))
        return samples.framed(self.unpadded(padded)[:, :frames], self.framing)

    def unpadded(self, samples: Tensor) -> Tensor:
        """Transform, complex [B, T, n_fft // 2 + 1], of the whole windows in samples [B, N]."""
        spectrum = torch.stft(
            samples,
            self.n_fft,
            self.hop,
            self.win,
            self.window,
            center=False,
            return_complex=True,
        )
        return spectrum.transpose(1, 2)

    def inverse(self, spectrum: Seq, samples: Seq) -> Seq:
        """Samples [B, N] of a transform [B, T, n_fft // 2 + 1] by weighted overlap-add.

        For the lengths and the clock of `samples`. Whatever no window reaches (the last samples,
        where the hop is longer than half the window) comes back weaker or as zero.
        """
        before_window = (self.n_fft - self.win) // 2
        after_window = self.n_fft - self.win - before_window
        window = functional.pad(self.window, (before_window, after_window))
        data = spectrum.zero_padding().data
        steps = data.shape[1]
        if data.is_cuda:
            data = functional.pad(data, (0, 0, 0, _lacking(steps, _CUDA_FRAMES)))
        frames = torch.fft.irfft(data, self.n_fft)[:, :steps] * window
        weights = (spectrum.mask[:, :, None] * window.square()).to(frames.dtype)
        weight = self._overlap_add(weights).clamp(min=_LEAST_WEIGHT)
        data = self._overlap_add(frames) / weight
        begin = self.framing.before
        end = begin + samples.data.shape[1]
        lacking = max(0, end - data.shape[1])
        data = functional.pad(data, (0, lacking))[:, begin:end]
        return samples.with_data(data).zero_padding()

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """Frames [B, T, n_fft] added up where they lie, [B, (T - 1) * hop + n_fft]."""
        length = (frames.shape[1] - 1) * self.hop + self.n_fft
        columns = frames.transpose(1, 2)
        folded: Tensor = functional.fold(
            columns, (1, length), kernel_size=(1, self.n_fft), stride=(1, self.hop)
        )
        return folded.reshape(frames.shape[0], length)

    def raw(self, spectrum: Seq) -> Seq:
        """Amplitude or power of a transform before compression, [B, T, n_fft // 2 + 1]."""
        data = spectrum.data
        if self.power == 1.0:
            return spectrum.with_data(data.abs())
        # The square of an absolute value takes five times as long, most of it for a root that is
        # then undone.
        return spectrum.with_data(data.real.square() + data.imag.square())

    def features(self, spectrum: Seq) -> Seq:
        """Features [B, T, F] of a transform."""
        return self.compress(self.bands(self.raw(spectrum)))

    def bands(self, frames: Seq) -> Seq:
        """What is made of the bins [B, T, n_fft // 2 + 1] before compression: nothing here."""
        return frames

    def compress(self, frames: Seq) -> Seq:
        """Frames [B, T, F] on a logarithmic scale above a floor, or as they are.

        The floor of power is FLOOR, that of amplitude its root; with `floor_db` it lies so far
        below the mean of the utterance, by which all is divided.
        """
        if not self.log:
            return frames.zero_padding()
        if self.floor_db:
            relative = frames.data / self.mean_level(frames)
            level = torch.log(relative + self.floor)
        else:
            level = torch.log(frames.data + self.floor)
        if self.range_db:
            level_db = level * (20 / (self.power * math.log(10)))
            padding = ~frames.mask[:, :, None]
            loudest_db = level_db.masked_fill(padding, -math.inf).amax((1, 2), keepdim=True)
            level = (level_db - loudest_db).clamp(min=-self.range_db)
        return frames.with_data(level).zero_padding()

    @property
    def floor(self) -> float:
        """What is added before the logarithm."""
        if self.floor_db:
            return float(10 ** (-self.floor_db / 10)) ** (self.power / 2)
        return FLOOR ** (self.power / 2)

    def mean_level(self, frames: Seq) -> Tensor:
        """Mean power or amplitude [B, 1, 1] of the real frames of [B, T, F]; never zero."""
        total = frames.zero_padding().data.sum((1, 2), keepdim=True)
        frame_counts = frames.device_lengths.clamp(min=1)[:, None, None]
        mean = total / (frame_counts * frames.data.shape[2])
        return mean.clamp(min=SILENCE ** (self.power / 2))

    def forward(self, samples: Seq, warps: Sequence[float] = ()) -> Seq:
        """Features [B, T, F] of samples [B, N]; of each row with its frequencies times a warp."""
        frames = self.raw(self.transform(samples))
        if warps:
            frames = warp_frequencies(frames, warps)
        return self.compress(self.bands(frames))

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.rate_hz, self.hop)


class Mel(Spectrogram):
    """Log mel features [B, T, bands] (HTK scale, no area normalisation).

    Raises:
        ValueError: for no band, for a band without a bin, for frequencies out of order, and as
            Spectrogram.

    Example:
        >>> mel = Mel(16000, bands=40)
        >>> mel(Seq.stack([torch.zeros(16000)], rate=16000)).data.shape
        torch.Size([1, 101, 40])
    """

    filters: Tensor

    def __init__(
        self,
        rate_hz: int,
        bands: int = 80,
        low_hz: float = 20.0,
        high_hz: float | None = None,
        n_fft: int = 512,
        window_s: float = 0.025,
        hop_s: float = 0.010,
        power: float = 2.0,
        log: bool = True,
        centred: bool = True,
        range_db: float = 0.0,
        floor_db: float = 0.0,
    ) -> None:
        super().__init__(rate_hz, n_fft, window_s, hop_s, power, log, centred, range_db, floor_db)
        highest_hz = rate_hz / 2
        if high_hz is None:
            high_hz = highest_hz
        if not 0 <= low_hz < high_hz <= highest_hz:
            raise ValueError(
                f"expected 0 <= low_hz < high_hz <= {highest_hz:g} Hz; "
                f"got {low_hz:g} and {high_hz:g}"
            )
        if bands < 1:
            raise ValueError(f"expected at least 1 mel band; got {bands}")
        filters = mel_filters(self.bins, low_hz, high_hz, bands, rate_hz)
        empty = (~filters.any(dim=0)).nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f"{len(empty)} of {bands} mel bands hold no FFT bin (the first is band {empty[0]}) "
                f"with n_fft={n_fft} at {rate_hz} Hz from {low_hz:g} to {high_hz:g} Hz; "
                "use fewer bands or a larger n_fft"
            )
        self.register_buffer("filters", filters, persistent=False)
        self.bins = bands

    def bands(self, frames: Seq) -> Seq:
        """Mel bands [B, T, bands] of bins [B, T, n_fft // 2 + 1]."""
        return frames.with_data(frames.data @ self.filters)


def _lacking(count: int, multiple: int) -> int:
    """How many more make it a multiple.

    Example:
        >>> _lacking(100, 16), _lacking(96, 16)
        (12, 0)
    """
    return -count % multiple
