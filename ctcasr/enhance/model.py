"""Specs of enhancers become networks: samples (and video) in, samples of the speech out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.enhance.spec import AvMaskSpec, DualPathSpec, EnhanceSpec
from ctcasr.front import FrontEnd, Mel, Spectrogram, build_extract, build_norm
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
from ctcasr.video import LipFront, LipTrunk, ToClock, VisualTrunk

SEEN_DIMS = 3  # of what was seen before, [B, T, F]; pictures have one more
_LEAST_WEIGHT = 1e-8  # of a bin in all bands, so that nothing is divided by zero


class EnhancerModel(nn.Module):
    """Samples [B, N] to samples [B, N] of the speech in them.

    Where the network `sees`, `video` is grey frames [B, T, H, W], 0..255, or [B, T, F], what `see`
    made of them before.
    """

    rate_hz: int
    sees = False

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples, as long as the given ones."""
        raise NotImplementedError

    def see(self, video: Seq) -> Seq:
        """What the network sees in frames [B, T, H, W]: features [B, T, F]."""
        raise NotImplementedError

    def _checked(self, samples: Seq) -> Seq:
        if samples.data.dim() != 2 or samples.rate != self.rate_hz:
            raise ValueError(
                f"expected samples [B, N] at {self.rate_hz} Hz; "
                f"got {tuple(samples.data.shape)} at {float(samples.rate):g} Hz"
            )
        return samples.zero_padding()


class MaskEnhancer(EnhancerModel):
    """A gain of 0..1 for each time and frequency, from the library's BatchNorm-RNN body.

    The transform is inverted with the noisy phase.
    """

    spread: Tensor  # [bands, bins], how gains of bands become those of bins; empty without bands

    def __init__(self, front: FrontEnd, body: AcousticModel) -> None:
        super().__init__()
        self.front = front
        self.body = body
        self.gains = Product()
        self.rate_hz = front.extract.rate_hz
        self.register_buffer("spread", _spread(front.extract), persistent=False)

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples [B, N]; video is not looked at."""
        samples = self._checked(samples)
        spectrum = self.analyse(samples)
        mask = self.mask(self.beside(self.features(spectrum), video))
        return self.synthesise(spectrum, mask, samples)

    def analyse(self, samples: Seq) -> Seq:
        """Transform, complex [B, T, bins], of samples [B, N]."""
        # Half a window of silence behind each row: then every sample lies well inside of a window.
        silence = self.front.extract.n_fft // 2
        longer = functional.pad(samples.data, (0, silence))
        lengths = tuple(length + silence for length in samples.lengths)
        return self.front.extract.transform(Seq(longer, lengths, samples.rate))

    def features(self, spectrum: Seq) -> Seq:
        """What the recurrent layers see, [B, T, F]."""
        features: Seq = self.front.norm(self.front.extract.features(spectrum))
        return features

    def beside(self, features: Seq, video: Seq | None) -> Seq:
        """Features [B, T, F] with what is seen beside them: nothing here."""
        return features

    def mask(self, features: Seq) -> Seq:
        """Gains of 0..1 for each bin, [B, T, bins]."""
        gains = self.body(features).data.sigmoid()
        if self.spread.numel():
            gains = gains @ self.spread
        return features.with_data(gains)

    def synthesise(self, spectrum: Seq, mask: Seq, samples: Seq) -> Seq:
        """Samples [B, N] of the transform times its mask."""
        masked = spectrum.with_data(self.gains(spectrum.data, mask.data))
        return self.front.extract.inverse(masked, samples)


class AvMaskEnhancer(MaskEnhancer):
    """A mask by what is heard and by the lips, which are held on the clock of what is heard."""

    sees = True

    def __init__(
        self, front: FrontEnd, body: AcousticModel, lips: LipFront, trunk: LipTrunk, clock: ToClock
    ) -> None:
        super().__init__(front, body)
        self.lips = lips
        self.trunk = trunk
        self.clock = clock

    def see(self, video: Seq) -> Seq:
        """What lips look like in frames [B, T, H, W]: features [B, T, F]."""
        features: Seq = self.trunk(self.lips(video))
        return features

    def beside(self, features: Seq, video: Seq | None) -> Seq:
        """Features [B, T, F'] with what is seen behind them; zeros where nothing is."""
        return _with_seen(features, video, self, self.clock, self.trunk.features)


def _with_seen(
    frames: Seq, video: Seq | None, model: EnhancerModel, clock: ToClock, width: int
) -> Seq:
    """Frames [B, T, F], with what the model sees [B, T, width] behind them; zeros without video."""
    if video is None:
        visual = frames.data.new_zeros((*frames.data.shape[:2], width))
    else:
        seen = video if video.data.dim() == SEEN_DIMS else model.see(video)
        visual = clock(seen, frames).data
    return frames.with_data(torch.cat((frames.data, visual), dim=2))


def _spread(extract: Spectrogram) -> Tensor:
    """[bands, bins]: a bin takes the gains of the bands that it counts in.

    One beyond all bands is silenced. Empty where there are no bands.
    """
    if not isinstance(extract, Mel):
        return torch.zeros(0)
    counts = extract.filters.sum(1, keepdim=True).clamp(min=_LEAST_WEIGHT)
    return (extract.filters / counts).T.contiguous()


class DualPathEnhancer(EnhancerModel):
    """Learnt filter bank and a mask by a dual-path separator.

    Where there is a `trunk`, what is seen stands beside what is heard.
    """

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
        self.rate_hz = rate_hz
        self.sees = trunk is not None
        self.encoder = encoder
        self.separator = separator
        self.masking = Masking()
        self.decoder = decoder
        self.trunk = trunk
        self.clock = clock

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        """Enhanced samples [B, N]; without video the network sees zeros."""
        samples = self._checked(samples)
        frames = self.encoder(samples)
        mask = self.separator(self._with_video(frames, video))
        return self.decoder(self.masking(frames, mask.data), samples)

    def _with_video(self, frames: Seq, video: Seq | None) -> Seq:
        """Frames [B, T, filters], with visual features behind them."""
        if self.trunk is None:
            return frames
        return _with_seen(frames, video, self, self.clock, self.trunk.features)

    def see(self, video: Seq) -> Seq:
        """What the trunk sees in frames [B, T, H, W]: features [B, T, F]."""
        assert self.trunk is not None
        features: Seq = self.trunk(video)
        return features


def build_enhancer(spec: EnhanceSpec) -> EnhancerModel:
    """The network that `spec` describes; ValueError where it describes none.

    Example:
        >>> from ctcasr.enhance.spec import read_enhancer
        >>> model = build_enhancer(read_enhancer("mask_tiny"))
        >>> model(Seq.stack([torch.zeros(1000)], 16000)).data.shape
        torch.Size([1, 1000])
    """
    if spec.network == "mask":
        return _mask(spec.mask)
    if spec.network == "av_mask":
        return _av_mask(spec.av_mask)
    return _dualpath(spec.dualpath)


def _mask(spec: NetSpec) -> MaskEnhancer:
    return MaskEnhancer(*_front_and_body(spec))


def _av_mask(spec: AvMaskSpec) -> AvMaskEnhancer:
    causal = not spec.mask.bidirectional
    if causal and not spec.lips.causal:
        raise ValueError(
            "av_mask: expected lips.causal = true beside mask.bidirectional = false, which waits "
            "for nothing; got false"
        )
    return AvMaskEnhancer(
        *_front_and_body(spec.mask, spec.lips.features),
        LipFront(spec.lips),
        LipTrunk(spec.lips),
        ToClock(causal),
    )


def _front_and_body(spec: NetSpec, seen: int = 0) -> tuple[FrontEnd, AcousticModel]:
    """What hears, and what makes gains of that and of so many features that are seen."""
    if spec.conv or spec.front.range_db or not spec.front.centred:
        raise ValueError(
            "an enhancer of kind 'mask' needs a frame of its mask for each frame of a centred "
            "spectrogram: expected no conv layers, range_db = 0 and centred = true"
        )
    extract = build_extract(spec.front)
    if extract.hop > extract.win:
        raise ValueError(
            f"mask.front: expected a hop within the window of {extract.win} samples, or what lies "
            f"between two windows is silent; got {extract.hop}"
        )
    rnn = RecurrentStack(
        spec.rnn,
        extract.bins + seen,
        spec.hidden,
        spec.layers,
        spec.bidirectional,
        spec.rnn_norm,
        spec.dropout,
    )
    head = Head(rnn.features, spec.fc, extract.bins, spec.fc_norm, spec.clip)
    front = FrontEnd(extract, build_norm(spec.front, extract.bins))
    return front, AcousticModel(ConvStack([], extract.bins + seen), rnn, head)


def _dualpath(spec: DualPathSpec) -> DualPathEnhancer:
    trunk = None
    features = spec.filters
    if spec.convs:
        trunk = VisualTrunk(spec.convs, spec.seen, spec.causal)
        features += spec.seen
    separator = Separator(features, spec.filters, spec.width, spec.hidden, spec.chunk, spec.causal)
    return DualPathEnhancer(
        spec.rate_hz,
        WaveEncoder(spec.filters, spec.size, spec.hop),
        separator,
        WaveDecoder(spec.filters, spec.size, spec.hop),
        trunk,
        ToClock(spec.causal),
    )
