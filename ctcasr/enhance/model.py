"""Specs of enhancers become networks: samples (and frames of video) in, samples of the speech out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ctcasr.enhance.spec import DualPathSpec, EnhanceSpec
from ctcasr.front import FrontEnd, Mel, build_extract, build_norm
from ctcasr.net import (
    AcousticModel,
    ConvStack,
    Head,
    Masking,
    Product,
    RecurrentStack,
    Separator,
    WaveDecoder,
    WaveEncoder,
)
from ctcasr.seq import Seq
from ctcasr.specs import NetSpec
from ctcasr.video import ToClock, VisualTrunk


class EnhancerModel(nn.Module):
    """Samples [B, N] to samples [B, N] of the speech in them; `video` [B, T, H, W], 0..255, where the network sees."""

    rate_hz: int
    sees = False

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples, as long as the given ones."""
        raise NotImplementedError

    def _checked(self, samples: Seq) -> Seq:
        if samples.data.dim() != 2 or samples.rate != self.rate_hz:
            raise ValueError(
                f"expected samples [B, N] at {self.rate_hz} Hz; got {tuple(samples.data.shape)} at {float(samples.rate):g} Hz"
            )
        return samples.zero_padding()


class MaskEnhancer(EnhancerModel):
    """A gain of 0..1 for each time and frequency, from the library's BatchNorm-RNN body; the transform is inverted with the noisy phase."""

    spread: torch.Tensor

    def __init__(self, front: FrontEnd, body: AcousticModel) -> None:
        super().__init__()
        self.front, self.body, self.gains = front, body, Product()
        self.rate_hz = front.extract.rate_hz
        if isinstance(front.extract, Mel):
            # A bin takes the gains of the bands that it counts in; one beyond all bands is silenced.
            filters = front.extract.filters
            self.register_buffer(
                "spread",
                (filters / filters.sum(1, keepdim=True).clamp(min=1e-8)).T.contiguous(),
                persistent=False,
            )
        else:
            self.register_buffer("spread", torch.zeros(0), persistent=False)

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples [B, N]; video is not looked at."""
        samples = self._checked(samples)
        spectrum = self.analyse(samples)
        return self.synthesise(spectrum, self.mask(self.features(spectrum)), samples)

    def analyse(self, samples: Seq) -> Seq:
        """Transform, complex [B, T, bins]."""
        # Half a window of silence behind each row: then every sample lies well inside of some window.
        more = self.front.extract.n_fft // 2
        longer = Seq(
            functional.pad(samples.data, (0, more)),
            tuple(n + more for n in samples.lengths),
            samples.rate,
        )
        return self.front.extract.transform(longer)

    def features(self, spectrum: Seq) -> Seq:
        """What the recurrent layers see."""
        normed: Seq = self.front.norm(self.front.extract.features(spectrum))
        return normed

    def mask(self, features: Seq) -> Seq:
        """Gains of 0..1 for each bin, [B, T, bins]."""
        gains = self.body(features).data.sigmoid()
        return features.with_data(gains @ self.spread if self.spread.numel() else gains)

    def synthesise(self, spectrum: Seq, mask: Seq, samples: Seq) -> Seq:
        """Samples [B, N] of the transform times its mask."""
        return self.front.extract.inverse(
            spectrum.with_data(self.gains(spectrum.data, mask.data)), samples
        )


class DualPathEnhancer(EnhancerModel):
    """Learnt filter bank, mask by a dual-path separator, and, where there is a `trunk`, what is seen beside what is heard."""

    def __init__(
        self,
        rate_hz: int,
        encoder: WaveEncoder,
        separator: Separator,
        decoder: WaveDecoder,
        trunk: VisualTrunk | None,
        clock: ToClock,
    ) -> None:
        super().__init__()
        self.rate_hz, self.sees = rate_hz, trunk is not None
        self.encoder, self.separator, self.masking, self.decoder = (
            encoder,
            separator,
            Masking(),
            decoder,
        )
        self.trunk, self.clock = trunk, clock

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples [B, N]; without video the network sees zeros."""
        samples = self._checked(samples)
        frames = self.encoder(samples)
        known = frames
        if self.trunk is not None:
            if video is None:
                seen = frames.data.new_zeros((*frames.data.shape[:2], self.trunk.features))
            else:
                seen = self.clock(self.trunk(video), frames).data
            known = frames.with_data(torch.cat((frames.data, seen), dim=2))
        return self.decoder(self.masking(frames, self.separator(known).data), samples)


def build_enhancer(spec: EnhanceSpec) -> EnhancerModel:
    """The network that `spec` describes."""
    return _mask(spec.mask) if spec.network == "mask" else _dualpath(spec.dualpath)


def _mask(spec: NetSpec) -> MaskEnhancer:
    if spec.conv or spec.front.range_db or not spec.front.centred:
        raise ValueError(
            "an enhancer of kind 'mask' needs a frame of its mask for each frame of a centred spectrogram: "
            "expected no conv layers, range_db = 0 and centred = true"
        )
    extract = build_extract(spec.front)
    rnn = RecurrentStack(
        spec.rnn,
        extract.bins,
        spec.hidden,
        spec.layers,
        spec.bidirectional,
        spec.rnn_norm,
        spec.dropout,
    )
    head = Head(rnn.features, spec.fc, extract.bins, spec.fc_norm, spec.clip)
    return MaskEnhancer(
        FrontEnd(extract, build_norm(spec.front, extract.bins)),
        AcousticModel(ConvStack([], extract.bins), rnn, head),
    )


def _dualpath(spec: DualPathSpec) -> DualPathEnhancer:
    trunk = VisualTrunk(spec.convs, spec.seen, spec.causal) if spec.convs else None
    features = spec.filters + (spec.seen if trunk is not None else 0)
    separator = Separator(features, spec.filters, spec.width, spec.hidden, spec.chunk, spec.causal)
    return DualPathEnhancer(
        spec.rate_hz,
        WaveEncoder(spec.filters, spec.size, spec.hop),
        separator,
        WaveDecoder(spec.filters, spec.size, spec.hop),
        trunk,
        ToClock(spec.causal),
    )
