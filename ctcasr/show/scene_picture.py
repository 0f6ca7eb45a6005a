"""One scene in a picture: spectrograms of clean, noisy and enhanced, with what a judge wrote."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from ctcasr.compare.enhanced import CLEAN, NOISY, EnhancedFolder
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.scene import Scene, read_sound
from ctcasr.data import AudioError
from ctcasr.show.curves import new_figure, plain_text

_RANGE_DB = 70.0  # below the loudest, that is drawn
_WINDOW_S = 0.032  # about: the next power of two
_SILENCE = 1e-10  # power that is added, so that the logarithm exists
_DPI = 90
_COLUMN_IN = 4.0
_HEIGHT_IN = 2.6


def pictures(hearings: Sequence[Hearing], enhancer: EnhancedFolder, judge: str) -> list[str]:
    """Up to three scenes as HTML figures.

    Where the enhancer helped this judge most, where it hurt most, and one in the middle.

    Raises:
        ImportError: without matplotlib.
    """
    conditions = (CLEAN, NOISY, enhancer.name)
    by_scene: dict[str, dict[str, Hearing]] = {}
    for hearing in hearings:
        if hearing.judge != judge or hearing.condition not in conditions:
            continue
        of_scene = by_scene.setdefault(hearing.scene.id, {})
        of_scene[hearing.condition] = hearing
    figures = []
    for scene_id in _telling_scenes(by_scene, enhancer.name):
        try:
            figures.append(_figure(by_scene[scene_id], enhancer))
        except AudioError:  # gone since it was heard
            continue
    return figures


def _telling_scenes(by_scene: Mapping[str, Mapping[str, Hearing]], enhancer: str) -> list[str]:
    """The names of the scenes with the fewest, the middle and the most additional errors."""
    additional_errors = {}
    for scene_id, hearings in by_scene.items():
        if NOISY not in hearings or enhancer not in hearings:
            continue
        before = hearings[NOISY].errors
        after = hearings[enhancer].errors
        if before is not None and after is not None:
            additional = after.words.errors - before.words.errors
            additional_errors[scene_id] = additional
    order = sorted(additional_errors, key=lambda name: (additional_errors[name], name))
    if not order:
        return []
    last = len(order) - 1
    middle = len(order) // 2
    places = sorted({0, middle, last})
    return [order[place] for place in places]


def _figure(hearings: Mapping[str, Hearing], enhancer: EnhancedFolder) -> str:
    """The spectrograms of a scene, and below them the texts."""
    scene = hearings[NOISY].scene
    sound = read_sound(scene)
    samples = {NOISY: sound.noisy}
    if sound.clean is not None:
        samples = {CLEAN: sound.clean, NOISY: sound.noisy}
    enhanced = enhancer.read(scene, sound).samples
    if enhanced is not None:
        samples[enhancer.name] = enhanced
    png = _draw(samples, sound.rate_hz)
    image = base64.b64encode(png).decode()
    caption = escape(_caption(scene))
    names = ", ".join(samples)
    alternative = escape(f"spectrograms of {names}")
    return (
        f"<h3>{caption}</h3>"
        f'<img alt="{alternative}" src="data:image/png;base64,{image}">'
        f"{_texts(scene, hearings, list(samples))}"
    )


def _texts(scene: Scene, hearings: Mapping[str, Hearing], conditions: Sequence[str]) -> str:
    """What was said, and below it what was heard under each condition, as an HTML list."""
    texts = {"said": scene.text.lower()}
    for condition in conditions:
        hearing = hearings.get(condition)
        if hearing is not None and hearing.errors is not None:
            texts[condition] = hearing.hypothesis or "(nothing)"
    entries = ""
    for name, text in texts.items():
        entries += f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
    return f'<dl class="texts">{entries}</dl>'


def _caption(scene: Scene) -> str:
    """The name of a scene, what was mixed in, and how loud."""
    interferer = scene.stratum("noise") or scene.stratum("interferer") or ""
    caption = f"{scene.id}: {interferer}"
    if scene.snr_db is not None:
        caption += f", {scene.snr_db:+.1f} dB"
    return caption


def _draw(samples: Mapping[str, Tensor], rate_hz: int) -> bytes:
    """A PNG of spectrograms side by side, on one scale."""
    spectra = {}
    for name, signal in samples.items():
        spectra[name] = _spectrogram(signal, rate_hz)
    loudest = max(float(spectrum.max()) for spectrum in spectra.values())
    columns = len(spectra)
    figure = new_figure(_COLUMN_IN * columns, _HEIGHT_IN)
    (axes,) = figure.subplots(1, columns, sharey=True, squeeze=False)
    highest_khz = rate_hz / 2000
    for axis, (name, spectrum) in zip(axes, spectra.items(), strict=True):
        length_s = samples[name].shape[0] / rate_hz
        axis.imshow(
            spectrum.numpy(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=loudest - _RANGE_DB,
            vmax=loudest,
            interpolation="nearest",
            extent=(0, length_s, 0, highest_khz),
        )
        axis.set_title(plain_text(name), loc="left", fontsize="medium")
        axis.set_xlabel("seconds")
    axes[0].set_ylabel("kHz")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def _spectrogram(samples: Tensor, rate_hz: int) -> Tensor:
    """Decibels [F, T] of samples [N]."""
    wanted = round(_WINDOW_S * rate_hz)
    size = 1 << (wanted - 1).bit_length()  # the next power of two
    spectrum = torch.stft(
        samples.float(),
        n_fft=size,
        hop_length=size // 4,
        window=torch.hann_window(size),
        return_complex=True,
        pad_mode="constant",
    )
    power = spectrum.abs().square()
    return 10 * torch.log10(power + _SILENCE)
