"""Start from another checkpoint: load what fits, name what does not."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ctcasr import checkpoint


def load_compatible(network: nn.Module, path: Path | str) -> list[str]:
    """Load every tensor of a checkpoint that has the same name and shape.

    Returns a line for each tensor that keeps its fresh values.

    Raises:
        CheckpointError: where there is no checkpoint.
        ValueError: where not one tensor fits.
    """
    saved = checkpoint.load(path).get("network", {})
    own = network.state_dict()
    missing = []
    for name, tensor in own.items():
        if name not in saved:
            missing.append(f"{name}: not in {path}")
        elif saved[name].shape != tensor.shape:
            shapes = f"{list(saved[name].shape)} in {path}, {list(tensor.shape)} here"
            missing.append(f"{name}: {shapes}")
        else:
            tensor.copy_(saved[name])
    if len(missing) == len(own):
        raise ValueError(
            f"{path}: not one tensor fits this network; is it a checkpoint of another kind?"
        )
    return missing
