"""What enhanced speech sounds like, in numbers beside the word error rate."""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctcasr.data import resample

TAPS = 512  # allowed filter of the projection, as in BSS-eval (Vincent et al. 2006)
LIMIT_DB = 100.0  # ratios beyond it say nothing but "perfect" or "nothing"
RIDGE = 1e-10  # of the mean diagonal: keeps sources without some frequencies solvable
WIDE_HZ = 16000  # of wide-band PESQ (ITU-T P.862.2), and of DNSMOS
NARROW_HZ = 8000  # of narrow-band PESQ (ITU-T P.862)
# Opinions of the whole, the speech and the background (P.835), and of the whole again (P.808).
DNSMOS = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")
# Metrics by the package that computes them.
PACKAGES = {"pesq": ("pesq",), "pystoi": ("stoi", "estoi"), "speechmos": DNSMOS}


@dataclass(frozen=True)
class Split:
    """Enhanced speech as target + noise left + artifacts, in dB.

    Target over noise and artifacts, target over noise, target and noise over artifacts.
    """

    sdr_db: float
    snr_db: float
    sar_db: float


PartsOf = Callable[[Tensor, Tensor, Tensor], Split]  # of an estimate, speech and interferer [N]


@dataclass(frozen=True)
class Metrics:
    """What could be measured of one sound, by name, and why the others could not."""

    scores: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def attempt(self, names: tuple[str, ...], compute: Callable[[], tuple[float, ...]]) -> None:
        """Add the values of `compute` by their names, or the reason why there are none."""
        try:
            with warnings.catch_warnings():
                # pystoi warns and returns 1e-5 for too short a clip
                warnings.simplefilter("error", RuntimeWarning)
                values = compute()
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"not finite: {values}")
        except Exception as error:  # third parties raise what they like; the trial goes on
            reason = f"{type(error).__name__}: {error}"
            for name in names:
                self.failed[name] = reason
        else:
            self.scores.update(zip(names, values, strict=True))


def measure(
    estimate: Tensor,
    clean: Tensor | None,
    interferer: Tensor | None,
    rate_hz: int,
    parts_of: PartsOf | None = None,
) -> Metrics:
    """All metrics of `estimate` [N] at `rate_hz` that can be had.

    si_sdr_db; split_sdr_db, split_snr_db and split_sar_db; pesq; stoi and estoi; and where
    speechmos is installed, those of DNSMOS, which alone need no `clean` [N]. `parts_of` splits as
    `split` does, perhaps faster.
    """
    metrics = Metrics()
    if DNSMOS[0] not in absent_metrics():
        metrics.attempt(DNSMOS, lambda: _dnsmos(estimate, rate_hz))
    if clean is None:
        return metrics
    metrics.attempt(("si_sdr_db",), lambda: (si_sdr(estimate, clean),))
    if interferer is not None:

        def parts_db() -> tuple[float, ...]:
            parts = (parts_of or split)(estimate, clean, interferer)
            return parts.sdr_db, parts.snr_db, parts.sar_db

        metrics.attempt(("split_sdr_db", "split_snr_db", "split_sar_db"), parts_db)
    metrics.attempt(("pesq",), lambda: (_pesq(estimate, clean, rate_hz),))
    metrics.attempt(("stoi", "estoi"), lambda: _stoi(estimate, clean, rate_hz))
    return metrics


def absent_metrics() -> frozenset[str]:
    """The metrics whose packages are not installed."""
    absent: list[str] = []
    for package, names in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            absent.extend(names)
    return frozenset(absent)


def si_sdr(estimate: Tensor, reference: Tensor) -> float:
    """Scale-invariant signal to distortion ratio of [N] against [N], in dB.

    Le Roux et al., "SDR - half-baked or well done?", 2019, arXiv 1811.02508.

    Raises:
        ValueError: for a silent reference.

    Example:
        >>> tone = torch.sin(torch.arange(800) / 7)
        >>> noise = torch.sin(torch.arange(800) / 3)
        >>> round(si_sdr(3 * (tone + 0.1 * noise), tone))
        20
    """
    estimate = _centred(estimate)
    reference = _centred(reference)
    power = float(_power(reference))
    if power == 0:
        raise ValueError("expected a reference with sound; it is silent")
    product = float((estimate * reference).sum())
    target = product / power * reference
    distortion = estimate - target
    return _ratio_db(_power(target), _power(distortion))


def _centred(samples: Tensor) -> Tensor:
    """Samples [N] in double precision, without their mean."""
    samples = samples.double()
    return samples - samples.mean()


def _power(samples: Tensor) -> Tensor:
    """Sum of squares of samples [N]."""
    return samples.square().sum()


def split(estimate: Tensor, clean: Tensor, interferer: Tensor, taps: int = TAPS) -> Split:
    """Projections of [N] onto delayed speech, then onto delayed speech and interferer.

    What is left is artifacts (Iwamoto et al. 2022, arXiv 2201.06685). Delays are 0 to `taps` - 1.
    For many estimates of one scene, a `Splitter` is faster.

    Raises:
        ValueError: where speech or interferer is silent.
    """
    return Splitter(clean, interferer, estimate.shape[0], taps)(estimate)


class Splitter:
    """`split` of estimates [N] of one scene: what depends on the scene alone is computed once.

    Raises:
        ValueError: where speech or interferer is silent.

    Example:
        >>> tone = torch.sin(torch.arange(800) / 7)
        >>> noise = torch.sin(torch.arange(800) / 3)
        >>> splitter = Splitter(tone, noise, samples=800, taps=4)
        >>> round(splitter(tone + 0.1 * noise).snr_db)
        20
    """

    def __init__(self, clean: Tensor, interferer: Tensor, samples: int, taps: int = TAPS) -> None:
        clean = clean.double()
        interferer = interferer.double()
        if not bool(clean.any()) or not bool(interferer.any()):
            raise ValueError("expected speech and an interferer with sound; one of them is silent")
        self.onto_clean = _Projection([clean], samples, taps)
        self.onto_both = _Projection([clean, interferer], samples, taps)

    def __call__(self, estimate: Tensor) -> Split:
        """Target, noise and artifacts of an estimate [N]."""
        estimate = estimate.double()
        target = self.onto_clean(estimate)
        natural = self.onto_both(estimate)
        longer_by = natural.shape[0] - estimate.shape[0]
        whole = torch.nn.functional.pad(estimate, (0, longer_by))
        noise = natural - target
        artifacts = whole - natural
        target_power = _power(target)
        return Split(
            sdr_db=_ratio_db(target_power, _power(noise + artifacts)),
            snr_db=_ratio_db(target_power, _power(noise)),
            sar_db=_ratio_db(_power(natural), _power(artifacts)),
        )


class _Projection:
    """Signals [N] projected onto sources delayed by 0 to taps - 1, as [N + taps - 1].

    Least squares by the normal equations; their matrix and right side come from spectra.
    """

    def __init__(self, sources: Sequence[Tensor], samples: int, taps: int) -> None:
        self.taps = taps
        self.length = samples + taps - 1
        self.size = 1 << (self.length - 1).bit_length()
        self.spectra = [torch.fft.rfft(source, self.size) for source in sources]
        gram = _gram_matrix(self.spectra, self.size, taps)
        identity = torch.eye(len(gram), dtype=gram.dtype)
        gram = gram + RIDGE * gram.diagonal().mean() * identity
        self.factors, self.pivots = torch.linalg.lu_factor(gram)

    def __call__(self, signal: Tensor) -> Tensor:
        """The projection [N + taps - 1] of a signal [N]."""
        signal_spectrum = torch.fft.rfft(signal, self.size)
        sides = []
        for spectrum in self.spectra:
            correlation = torch.fft.irfft(spectrum.conj() * signal_spectrum, self.size)
            sides.append(correlation[: self.taps])
        side = torch.cat(sides)[:, None]
        solution = torch.linalg.lu_solve(self.factors, self.pivots, side)
        filters = solution.reshape(len(self.spectra), self.taps)
        projection = torch.zeros_like(signal_spectrum)
        for spectrum, taps_of_source in zip(self.spectra, filters, strict=True):
            response = torch.fft.rfft(taps_of_source, self.size)
            projection = projection + spectrum * response
        return torch.fft.irfft(projection, self.size)[: self.length]


def _pesq(estimate: Tensor, clean: Tensor, rate_hz: int) -> float:
    """Wide-band PESQ from 16 kHz on, else narrow-band."""
    pesq: Any = _extra("pesq")
    pesq_hz = NARROW_HZ
    band = "nb"
    if rate_hz >= WIDE_HZ:
        pesq_hz = WIDE_HZ
        band = "wb"
    reference = resample(clean.float(), rate_hz, pesq_hz).numpy()
    degraded = resample(estimate.float(), rate_hz, pesq_hz).numpy()
    score = pesq.pesq(pesq_hz, reference, degraded, band)
    return float(score)


def _stoi(estimate: Tensor, clean: Tensor, rate_hz: int) -> tuple[float, float]:
    """STOI (Taal et al. 2011) and ESTOI (Jensen and Taal 2016)."""
    pystoi: Any = _extra("pystoi")
    reference = clean.double().numpy()
    degraded = estimate.double().numpy()
    stoi = pystoi.stoi(reference, degraded, rate_hz, extended=False)
    estoi = pystoi.stoi(reference, degraded, rate_hz, extended=True)
    return float(stoi), float(estoi)


def _dnsmos(estimate: Tensor, rate_hz: int) -> tuple[float, ...]:
    """DNSMOS: what listeners would say by a network (Reddy et al. 2022, arXiv 2110.01763).

    It repeats what is shorter than 9 s. Sounds beyond full scale, which it refuses, are made
    quieter.
    """
    dnsmos: Any = importlib.import_module("speechmos.dnsmos")
    samples = resample(estimate.float(), rate_hz, WIDE_HZ)
    samples = samples / samples.abs().max().clamp(min=1.0)
    opinions = dnsmos.run(samples.numpy(), WIDE_HZ)
    return tuple(float(opinions[f"{name.removeprefix('dnsmos_')}_mos"]) for name in DNSMOS)


def _extra(name: str) -> Any:
    """A package of the extra `metrics`; ImportError names it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error} (pip install 'ctcasr[metrics]')") from error


def _gram_matrix(spectra: Sequence[Tensor], size: int, taps: int) -> Tensor:
    """Inner products of all sources at all delays, [sources x taps, sources x taps]."""
    delays = torch.arange(taps)
    lags = (delays[:, None] - delays[None, :]) % size
    rows = []
    for left in spectra:
        blocks = []
        for right in spectra:
            correlation = torch.fft.irfft(left.conj() * right, size)
            blocks.append(correlation[lags])
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows)


def _ratio_db(above: Tensor, below: Tensor) -> float:
    """10 log10 of a ratio of powers, between -100 and 100."""
    tiny = 1e-300  # keeps silence from dividing
    ratio_db = 10 * math.log10(max(float(above), tiny) / max(float(below), tiny))
    return max(-LIMIT_DB, min(LIMIT_DB, ratio_db))
