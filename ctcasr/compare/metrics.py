"""What enhanced speech sounds like, in numbers beside the word error rate; each may fail, and says why."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ctcasr.data import resample

TAPS = 512  # allowed filter of the projection, as in BSS-eval (Vincent et al. 2006)


@dataclass(frozen=True)
class Split:
    """Enhanced speech as target + noise left + artifacts, in dB: target over both, target over noise, target and noise over artifacts."""

    sdr_db: float
    snr_db: float
    sar_db: float


def si_sdr(estimate: Tensor, reference: Tensor) -> float:
    """Scale-invariant signal to distortion ratio of [N] against [N], in dB (Le Roux et al. 2019); ValueError for a silent reference."""
    estimate, reference = (part.double() - part.double().mean() for part in (estimate, reference))
    power = float(reference.square().sum())
    if power == 0:
        raise ValueError("expected a reference with sound; it is silent")
    target = float((estimate * reference).sum()) / power * reference
    return _db(target.square().sum(), (estimate - target).square().sum())


def split(estimate: Tensor, clean: Tensor, interferer: Tensor, taps: int = TAPS) -> Split:
    """Orthogonal projections of [N] onto delayed speech, then onto delayed speech and interferer; the rest: artifacts (arXiv 2201.06685).

    Delays 0 to `taps` - 1. ValueError where speech or interferer is silent.
    """
    estimate, clean, interferer = (part.double() for part in (estimate, clean, interferer))
    if not bool(clean.any()) or not bool(interferer.any()):
        raise ValueError("expected speech and an interferer with sound; one of them is silent")
    target = _projected(estimate, [clean], taps)
    both = _projected(estimate, [clean, interferer], taps)
    target = torch.nn.functional.pad(target, (0, both.shape[0] - target.shape[0]))
    whole = torch.nn.functional.pad(estimate, (0, both.shape[0] - estimate.shape[0]))
    noise, artifacts = both - target, whole - both
    power = target.square().sum()
    return Split(
        _db(power, (noise + artifacts).square().sum()),
        _db(power, noise.square().sum()),
        _db(both.square().sum(), artifacts.square().sum()),
    )


def measure(
    estimate: Tensor, clean: Tensor, interferer: Tensor | None, rate_hz: int
) -> tuple[dict[str, float], dict[str, str]]:
    """All metrics of [N] at `rate_hz` that can be had, and why the others could not."""
    scores: dict[str, float] = {}
    failed: dict[str, str] = {}

    def attempt(names: tuple[str, ...], compute: Callable[[], tuple[float, ...]]) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "error", RuntimeWarning
                )  # pystoi warns and returns 1e-5 for too short a clip
                values = compute()
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"not finite: {values}")
            scores.update(zip(names, values, strict=True))
        except (
            Exception
        ) as error:  # third parties raise what they like; a failure is a row, not the end
            failed.update(dict.fromkeys(names, f"{type(error).__name__}: {error}"))

    attempt(("si_sdr_db",), lambda: (si_sdr(estimate, clean),))
    if interferer is not None:

        def parts() -> tuple[float, ...]:
            found = split(estimate, clean, interferer)
            return found.sdr_db, found.snr_db, found.sar_db

        attempt(("split_sdr_db", "split_snr_db", "split_sar_db"), parts)
    attempt(("pesq",), lambda: (_pesq(estimate, clean, rate_hz),))
    attempt(("stoi", "estoi"), lambda: _stoi(estimate, clean, rate_hz))
    return scores, failed


def _pesq(estimate: Tensor, clean: Tensor, rate_hz: int) -> float:
    """Wide-band PESQ at 16 kHz, narrow-band at 8 kHz (ITU-T P.862.2, P.862)."""
    pesq: Any = _extra("pesq")
    inside, mode = (8000, "nb") if rate_hz < 16000 else (16000, "wb")
    both = [resample(part.float(), rate_hz, inside).numpy() for part in (clean, estimate)]
    return float(pesq.pesq(inside, *both, mode))


def _stoi(estimate: Tensor, clean: Tensor, rate_hz: int) -> tuple[float, float]:
    """STOI (Taal et al. 2011) and ESTOI (Jensen and Taal 2016)."""
    pystoi: Any = _extra("pystoi")
    both = [part.double().numpy() for part in (clean, estimate)]
    return float(pystoi.stoi(*both, rate_hz, extended=False)), float(
        pystoi.stoi(*both, rate_hz, extended=True)
    )


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error} (pip install 'ctcasr[metrics]')") from error


def _projected(signal: Tensor, sources: list[Tensor], taps: int) -> Tensor:
    """`signal` [N] projected onto the sources delayed by 0 to taps - 1, as [N + taps - 1]; the Gram matrix by FFT."""
    length = signal.shape[0] + taps - 1
    size = 1 << (length - 1).bit_length()
    spectra = [torch.fft.rfft(source, size) for source in sources]
    heard = torch.fft.rfft(signal, size)
    delays = torch.arange(taps)
    lags = (delays[None, :] - delays[:, None]) % size
    gram = torch.cat(
        [
            torch.cat([torch.fft.irfft(a.conj() * b, size)[-lags % size] for b in spectra], 1)
            for a in spectra
        ]
    )
    right = torch.cat([torch.fft.irfft(a.conj() * heard, size)[:taps] for a in spectra])
    # A trace of the diagonal keeps sources without some frequencies solvable.
    gram = gram + 1e-10 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    filters = torch.linalg.solve(gram, right).reshape(len(sources), taps)
    total = sum(
        spectrum * torch.fft.rfft(row, size) for spectrum, row in zip(spectra, filters, strict=True)
    )
    return torch.fft.irfft(total, size)[:length]  # type: ignore[arg-type]


def _db(above: Tensor, below: Tensor) -> float:
    """10 log10, between -100 and 100."""
    return max(
        -100.0, min(100.0, 10 * math.log10(max(float(above), 1e-300) / max(float(below), 1e-300)))
    )
