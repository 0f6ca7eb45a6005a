"""How a network begins: from another checkpoint, and with statistics of its corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from ctcasr import checkpoint
from ctcasr.data import Loader
from ctcasr.net.googlenet import AuxiliaryHead
from ctcasr.net.prior import LabelPrior
from ctcasr.seq import Seq
from ctcasr.task import Batches
from ctcasr.train.identity import differences, symbols_of

_MEASURED_S = 4 * 3600.0  # of sound, 1.4 million frames, for 80 bands and how they rise together
_FEW = 8  # symbols that a line names
_FRONT = "front."  # names of the front-end's tensors begin with this


def measure_statistics(network: nn.Module, batches: Batches) -> None:
    """What a front-end has to know of the corpus, where it is missing, from up to four hours of it.

    Those of a `Loader` are drawn from the whole corpus, also where it has a share of it only.

    Raises:
        ValueError: where there are too few frames.
    """
    front = getattr(network, "front", None)
    if not isinstance(front, nn.Module) or not getattr(front, "needs_statistics", False):
        return
    if isinstance(batches, Loader):
        batches = whole(batches)
    device = next(network.parameters()).device
    measure = cast(Callable[[Iterator[Seq]], object], front.fit)
    measure(audio.to(device) for audio in first_hours(batches))


def first_hours(batches: Batches) -> Iterator[Seq]:
    """The sound of an epoch's first batches, until it is enough to measure statistics."""
    heard_s = 0.0
    for batch in batches.epoch(0):
        if batch is not None:
            yield batch.audio
            heard_s += sum(batch.audio.lengths) / float(batch.audio.rate)
        if heard_s >= _MEASURED_S:
            return


def whole(loader: Loader) -> Loader:
    """The loader of one process that has no others beside it, in a drawn order."""
    return Loader(
        loader.corpus,
        batch_size=loader.batch_size,
        batch_seconds=loader.batch_seconds,
        order="shuffle",
        seed=loader.seed,
    )


def load_compatible(
    network: nn.Module, path: Path | str, own: Mapping[str, Any] | None = None
) -> list[str]:
    """Load every tensor of a checkpoint that has the same name, shape and meaning.

    `own` is what a checkpoint of `network` would say (a task's `export`): rows of output layers are
    then loaded symbol by symbol (class by class), and statistics of a front-end only into an equal
    one. Without it, names and shapes are all that is compared. Returns a line for all that keeps
    its fresh values.

    Raises:
        CheckpointError: where there is no checkpoint.
        ValueError: where not one tensor fits.
    """
    payload = checkpoint.load(path)
    saved = payload.get("network", {})
    tensors = network.state_dict()
    plan = _Plan.of(network, payload, own or {}, path)
    lines = list(plan.remarks)
    n_loaded = 0
    for name, tensor in tensors.items():
        line = plan.load(name, tensor, saved.get(name))
        n_loaded += line is None or line.startswith(_PARTLY)
        if line is not None:
            lines.append(f"{name}: {line.removeprefix(_PARTLY)}")
    if tensors and not n_loaded:
        raise ValueError(
            f"{path}: not one tensor fits this network; is it a checkpoint of another kind?"
        )
    return lines


_PARTLY = "partly: "


class _Plan:
    """What of a checkpoint may go where."""

    def __init__(
        self,
        path: Path | str,
        outputs: set[str],
        there: Sequence[str],
        here: Sequence[str],
        same_front: bool,
        remarks: Sequence[str],
    ) -> None:
        self.path = path
        self.outputs = outputs  # names of tensors whose rows are symbols
        self.there = list(there)  # symbols of the checkpoint's rows
        self.here = list(here)  # symbols of the network's rows
        self.same_front = same_front
        self.remarks = remarks

    @staticmethod
    def of(
        network: nn.Module, payload: Mapping[str, Any], own: Mapping[str, Any], path: Path | str
    ) -> _Plan:
        """By what the checkpoint says about itself, and what the network's own would."""
        there = symbols_of(payload)
        here = symbols_of(own)
        front_lines = differences(_front(payload), _front(own), "front.")
        remarks = [
            f"{line}: what the first layers know are other features (--net can name theirs)"
            for line in front_lines
        ]
        return _Plan(path, output_tensors(network), there, here, not front_lines, remarks)

    def load(self, name: str, tensor: Tensor, saved: Tensor | None) -> str | None:
        """Load into one tensor what means the same; what was not loaded, and why."""
        if saved is None:
            return f"not in {self.path}"
        if name.startswith(_FRONT) and not self.same_front:
            return f"of another front-end in {self.path}"
        if name in self.outputs and self.there and self.here and self.there != self.here:
            return self._load_rows(tensor, saved)
        if saved.shape != tensor.shape:
            return f"{list(saved.shape)} in {self.path}, {list(tensor.shape)} here"
        tensor.copy_(saved)
        return None

    def _load_rows(self, tensor: Tensor, saved: Tensor) -> str:
        """Load the rows of symbols that both have."""
        if saved.shape[1:] != tensor.shape[1:] or len(saved) != len(self.there):
            return f"{list(saved.shape)} in {self.path}, {list(tensor.shape)} here"
        row_of = {symbol: row for row, symbol in enumerate(self.there)}
        fresh = []
        for row, symbol in enumerate(self.here):
            if symbol in row_of:
                tensor[row].copy_(saved[row_of[symbol]])
            else:
                fresh.append(repr(symbol))
        n_both = len(self.here) - len(fresh)
        if not n_both:
            return f"none of its {len(self.here)} symbols is in {self.path}"
        names = ", ".join(fresh[:_FEW]) + (" ..." if len(fresh) > _FEW else "")
        rest = f"; fresh: {names}" if fresh else ""
        return f"{_PARTLY}symbol by symbol, {n_both} of {len(self.here)} from {self.path}{rest}"


def output_tensors(network: nn.Module) -> set[str]:
    """Names of the tensors whose rows stand for symbols or classes.

    The weights and biases of output layers (those of side outputs too), and running label priors.
    """
    layers = set()
    names = set()
    for name, module in network.named_modules():
        output = getattr(module, "output", None)
        if isinstance(output, nn.Linear):
            layers.add(id(output))
        if isinstance(module, AuxiliaryHead):
            linears = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
            layers.add(id(linears[-1]))
        if isinstance(module, LabelPrior):
            names.add(f"{name}.log")
    for name, module in network.named_modules():
        if id(module) in layers:
            names |= {f"{name}.{parameter}" for parameter, _ in module.named_parameters()}
    return names


def _front(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a checkpoint says about its front-end."""
    spec = payload.get("spec") or {}
    front = spec.get("front")
    return front if isinstance(front, Mapping) else {}
