"""Start from another checkpoint: load what fits, name what does not."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ctcasr import checkpoint


def load_compatible(network: nn.Module, path: Path | str) -> list[str]:
    """Load every tensor of a checkpoint that has the same name and shape; returns a line for each one that keeps its fresh values."""
    saved, own, notes = checkpoint.load(path).get("network", {}), network.state_dict(), []
    for name, tensor in own.items():
        if name not in saved:
            notes.append(f"{name}: not in {path}")
        elif saved[name].shape != tensor.shape:
            notes.append(f"{name}: {list(saved[name].shape)} in {path}, {list(tensor.shape)} here")
        else:
            tensor.copy_(saved[name])
    if len(notes) == len(own):
        raise ValueError(
            f"{path}: not one tensor fits this network; is it a checkpoint of another kind?"
        )
    return notes
