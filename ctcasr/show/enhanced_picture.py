"""One scene in a picture: spectrograms of clean, noisy and enhanced, with what the first judge wrote under them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.scene import Scene, read_sound
from ctcasr.compare.trial import Hearing
from ctcasr.data import AudioError

_RANGE_DB = 70.0


def pictures(hearings: Sequence[Hearing], enhancer: EnhancedFolder, judge: str) -> list[str]:
    """Up to three scenes: where the enhancer helped this judge most, where it hurt most, and one in the middle (needs matplotlib)."""
    mine: dict[str, dict[str, Hearing]] = {}
    for h in hearings:
        if h.judge == judge and h.condition in ("clean", "noisy", enhancer.name):
            mine.setdefault(h.scene.id, {})[h.condition] = h
    gains = sorted(
        (found[enhancer.name].errors.words.errors - found["noisy"].errors.words.errors, name)  # type: ignore[union-attr]
        for name, found in mine.items()
        if all(c in found and found[c].errors for c in ("noisy", enhancer.name))
    )
    drawn = []
    for _, name in (gains[i] for i in sorted({0, len(gains) // 2, len(gains) - 1}) if gains):
        try:
            drawn.append(_figure(mine[name], enhancer))
        except AudioError:  # gone since it was heard
            continue
    return drawn


def _figure(found: Mapping[str, Hearing], enhancer: EnhancedFolder) -> str:
    scene: Scene = found["noisy"].scene
    sound = read_sound(scene)
    samples = {
        "clean": sound.clean,
        "noisy": sound.noisy,
        enhancer.name: enhancer.read(scene, sound).samples,
    }
    image = base64.b64encode(
        _draw({name: part for name, part in samples.items() if part is not None}, sound.rate_hz)
    ).decode()
    level = "" if scene.snr_db is None else f", {scene.snr_db:+.1f} dB"
    about = f"{scene.id}: {scene.stratum('noise') or scene.stratum('interferer') or ''}{level}"
    width = max(len(name) for name in samples)
    heard = "\n".join(
        [
            f"{'said':{width}}  {scene.text.lower()}",
            *(
                f"{name:{width}}  {h.hypothesis or '(nothing)'}"
                for name in samples
                if (h := found.get(name)) is not None and h.errors is not None
            ),
        ]
    )
    return f'<h3>{escape(about)}</h3><img alt="spectrograms" src="data:image/png;base64,{image}"><div class="heard">{escape(heard)}</div>'


def _draw(samples: Mapping[str, Tensor], rate_hz: int) -> bytes:
    """A PNG of spectrograms side by side, on one scale of 70 dB."""
    from matplotlib.figure import Figure

    spectra = {name: _spectrogram(part, rate_hz) for name, part in samples.items()}
    top = max(float(s.max()) for s in spectra.values())
    figure = Figure(figsize=(4 * len(spectra), 2.6), layout="constrained")
    axes = figure.subplots(1, len(spectra), sharey=True, squeeze=False)[0]
    for axis, (name, spectrum) in zip(axes, spectra.items(), strict=True):
        axis.imshow(
            spectrum.numpy(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top - _RANGE_DB,
            vmax=top,
            interpolation="nearest",
            extent=(0, samples[name].shape[0] / rate_hz, 0, rate_hz / 2000),
        )
        axis.set_title(name, loc="left", fontsize="medium")
        axis.set_xlabel("seconds")
    axes[0].set_ylabel("kHz")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90)
    return out.getvalue()


def _spectrogram(samples: Tensor, rate_hz: int) -> Tensor:
    """Decibels [F, T]."""
    size = 1 << (round(0.032 * rate_hz) - 1).bit_length()
    spectrum = torch.stft(
        samples.float(),
        size,
        size // 4,
        window=torch.hann_window(size),
        return_complex=True,
        pad_mode="constant",
    )
    return 10 * torch.log10(spectrum.abs().square() + 1e-10)
