"""Looks into a network and at what goes into it, leaving no trace: activations, statistics, parameters, features, sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ctcasr.batch import Batch
from ctcasr.seq import Seq

_SILENT = 1e-4  # root mean square below which nothing is heard (-80 dB of full scale)
_RELU = (nn.functional.relu, nn.functional.hardtanh, torch.relu)


class Activations(TorchFunctionMode):
    """Sees the output of every ReLU (clipped or not) that is computed while it is entered, whichever module calls it."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _RELU and isinstance(out, Tensor) and out.dim() >= 3:
            self._outputs.append(out.detach())
        return out

    def dead(self, lengths: tuple[int, ...]) -> list[float]:
        """Share of units that are zero everywhere, layer by layer; outputs as long as the logits [B, T, ...] are masked."""
        shares = []
        for out in self._outputs:
            if out.dim() == 3 and out.shape[1] == max(lengths, default=0):
                mask = (
                    torch.arange(out.shape[1], device=out.device)
                    < torch.tensor(lengths, device=out.device)[:, None]
                )
                out = out.masked_fill(~mask[:, :, None], 0.0)
            top = out.amax(tuple(range(out.dim() - 1))) if out.dim() == 3 else out.amax((0, 1, 3))
            shares.append(float((top <= 0).float().mean()))
        return shares


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[int]:
    """Within, normalisation works as in training (by the batch) and dropout as in evaluation; yields how many layers that changes."""
    modes = {module: module.training for module in network.modules()}
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.train()
    for module in network.modules():
        if "Dropout" in type(module).__name__:
            module.eval()
    try:
        yield sum(hasattr(module, "running_mean") for module in modes)
    finally:
        for name, buffer in network.named_buffers():
            if name in kept:
                buffer.copy_(kept[name])
        for module, training in modes.items():
            module.training = training


def parameter_stats(
    network: nn.Module, trained: Iterable[nn.Parameter], before: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Which share of the parameters is trained, has a gradient, has moved since `before`; norms of the last gradient by layer."""
    mine = {id(p) for p in trained}
    named = dict(network.named_parameters())
    total = max(sum(p.numel() for p in named.values()), 1)
    still = [
        name
        for name, p in named.items()
        if name in before and torch.equal(p, before[name].to(p.device))
    ]
    frozen = [name for name, p in named.items() if not p.requires_grad or id(p) not in mine]
    # A parameter that receives a gradient and does not move although others do is missing from the optimiser.
    left = [
        name for name in still if (grad := named[name].grad) is not None and bool((grad != 0).any())
    ]
    layers: dict[str, float] = {}
    for name, p in named.items():
        if p.grad is not None:
            layer = name.rpartition(".")[0]
            layers[layer] = layers.get(layer, 0.0) + float(p.grad.square().sum())

    def share(names: Iterable[str]) -> float:
        return sum(named[name].numel() for name in names) / total

    return {
        "frozen": share(frozen),
        "frozen_names": frozen[:3],
        "still": share(still),
        "left": share(left),
        "left_names": left[:3],
        "watched": bool(before),
        "gradients": {layer: value**0.5 for layer, value in layers.items()},
        "dropout": max((m.p for m in network.modules() if isinstance(m, nn.Dropout)), default=0.0),
    }


def feature_stats(network: nn.Module, batch: Batch) -> dict[str, float]:
    """Features [B, T, F] of the front-end: finite, varying, centred, and the same in training as in evaluation?"""
    front = getattr(network, "front", None)
    if front is None:
        return {}
    features = front(batch.audio)
    network.train()
    trained = front(batch.audio)
    network.eval()
    frames = features.data[features.mask]
    finite = frames.isfinite()
    clean = frames.nan_to_num(0.0, 0.0, 0.0)
    rows = [features.row(row).float().nan_to_num(0.0, 0.0, 0.0) for row in range(len(batch))]
    over_time = [row.std(0).mean() for row in rows if len(row) > 1]
    constant = sum(float(spread) < 1e-4 for spread in over_time) / max(len(over_time), 1)
    gap = (
        trained.data - features.data
    ).square().mean().sqrt() / features.data.square().mean().sqrt().clamp_min(1e-6)
    return {
        "features_finite": float(finite.float().mean()),
        "features_constant": constant,
        "features_mean": float(clean.mean()),
        "features_std": float(clean.std()),
        "features_mode_gap": float(gap),
        "features_normalised": float(type(front.norm).__name__ != "Unnormalised")
        if hasattr(front, "norm")
        else 0.0,
    }


def sound_stats(audio: Seq) -> dict[str, float]:
    """Samples [B, N]: silent rows, and what tells the speed at which they are read: pitch, and seconds in which something sounds."""
    rate = float(audio.rate)
    silent, pitches, active = 0, [], 0.0
    for row in range(len(audio)):
        samples = audio.row(row).float()
        if float(samples.square().mean().sqrt()) < _SILENT:
            silent += 1
            continue
        voices, seconds = _voice(samples, rate)
        pitches += voices
        active += seconds
    pitch = float(torch.tensor(pitches).median()) if len(pitches) >= 10 else float("nan")
    return {
        "silent": silent / max(len(audio), 1),
        "pitch_hz": pitch,
        "active_s": active / max(len(audio), 1),
    }


def _voice(samples: Tensor, rate: float) -> tuple[list[float], float]:
    """Pitch in Hz of the voiced frames (autocorrelation, 40 to 800 Hz), and seconds within 30 dB of the loudest frame."""
    size, hop = round(0.05 * rate), round(0.025 * rate)
    if len(samples) < size:
        return [], len(samples) / rate
    frames = samples.unfold(0, size, hop) - samples.mean()
    energy = frames.square().mean(1)
    loud = energy > 1e-3 * energy.max()
    strong = frames[energy > 0.03 * energy.max()][:40]
    power = (
        torch.fft.rfft(strong * torch.hann_window(size, device=samples.device), 2 * size)
        .abs()
        .square()
    )
    correlation = torch.fft.irfft(power)[:, :size]
    weight = torch.fft.irfft(
        torch.fft.rfft(torch.hann_window(size, device=samples.device), 2 * size).abs().square()
    )[:size]
    correlation = (
        correlation / correlation[:, :1].clamp_min(1e-9) / (weight / weight[0]).clamp_min(0.1)
    )
    low, high = round(rate / 800), min(round(rate / 40), size // 2 + size // 4)
    peak, _ = correlation[:, low:high].max(1)
    # The shortest lag nearly as good as the best: octave errors downwards are what autocorrelation is known for.
    good = correlation[:, low:high] >= 0.85 * peak[:, None]
    inner = torch.zeros_like(good)
    middle = correlation[:, low:high]
    inner[:, 1:-1] = (middle[:, 1:-1] >= middle[:, :-2]) & (middle[:, 1:-1] >= middle[:, 2:])
    first = (good & inner).float().argmax(1)
    voiced = (peak > 0.5) & (good & inner).any(1)
    return (rate / (first[voiced] + low).float()).tolist(), float(loud.sum()) * hop / rate
