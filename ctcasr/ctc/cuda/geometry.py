"""How a batch is cut into lanes, warps, segments and buffers: shared by the CUDA kernels and their host twin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_LABELS = 2047  # 4095 states: 16 warps of 32 lanes of 8 states
SHARED_STATES = 8192  # states of one segment in shared memory, 8 bytes each: 64 KiB, which every GPU since Volta grants
DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}


class Args(ctypes.Structure):
    """The one argument of every kernel: field by field the struct Args of batch.cuh."""

    _fields_ = [
        *[
            (name, ctypes.c_void_p)
            for name in (
                "logits",
                "grad",
                "lengths",
                "targets",
                "prior",
                "nll",
                "health",
                "status",
                "table",
                "emissions",
                "norms",
                "edges",
                "checkpoints",
            )
        ],
        ("prior_floor", ctypes.c_double),
        *[(name, ctypes.c_longlong) for name in ("stride_b", "stride_t")],
        *[
            (name, ctypes.c_int)
            for name in (
                "batch",
                "frames",
                "classes",
                "blank",
                "longest",
                "width",
                "warps",
                "keep",
                "slots",
                "normalize",
                "dtype",
                "unused",
            )
        ],
    ]


Launch = Callable[
    [str, int, int, int, int, Args], None
]  # name, grid x, grid y, threads, shared bytes, arguments


@dataclass(frozen=True)
class KernelGeometry:
    """Geometry for a batch [B, T, C] whose longest target has `longest` labels."""

    batch: int
    frames: int
    classes: int
    longest: int
    need_grad: bool

    @property
    def per_lane(self) -> int:
        """States a lane holds, Q: few while the warps of a block have a scheduler each."""
        states = 2 * self.longest + 1
        return 2 if states <= 256 else 4 if states <= 2048 else 8

    @property
    def warps(self) -> int:
        return -(-(2 * self.longest + 1) // (32 * self.per_lane))

    @property
    def line(self) -> int:
        """States of one row, with padding."""
        return 32 * self.per_lane * self.warps

    @property
    def keep(self) -> int:
        """Frames from one checkpoint to the next, a power of two; all of them if only the loss is asked for."""
        if not self.need_grad:
            return 1 << max(self.frames - 1, 0).bit_length()
        return 1 << min(SHARED_STATES // self.line, 32).bit_length() - 1

    @property
    def slots(self) -> int:
        return -(-self.frames // self.keep) + 1

    @property
    def width(self) -> int:
        """Emission columns of a row: the blank and each different label."""
        return min(self.classes, self.longest + 1)

    @property
    def table(self) -> int:
        return 2 * self.width + 3 * self.longest + 3


def run(
    launch: Launch,
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor,
    geometry: KernelGeometry,
    blank: int,
    prior: Tensor | None,
    prior_floor: float,
    normalize: bool,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Loss [B], gradient [B, T, C] and health [B] of logits whose classes lie side by side.

    `lengths` int64 [3, B]: frames, labels and where the labels of each row begin in `targets`.
    All tensors lie on the device of the logits; nothing waits for it.
    """

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=logits.device)

    nll, health = empty(geometry.batch), empty(geometry.batch)
    grad = empty(*logits.shape, dtype=logits.dtype) if geometry.need_grad else None
    pair = torch.int64  # one mantissa and one exponent
    status, table = (
        empty(geometry.batch, dtype=torch.int32),
        empty(geometry.batch, geometry.table, dtype=torch.int32),
    )
    emissions = empty(geometry.batch, geometry.frames, geometry.width, dtype=pair)
    norms = empty(geometry.batch, geometry.frames, dtype=pair)
    edges = empty(geometry.batch, 2, geometry.frames, geometry.warps, dtype=pair)
    checkpoints = empty(geometry.batch, 2, geometry.slots, geometry.line, dtype=pair)
    pointers = (
        logits,
        grad,
        lengths,
        targets,
        prior,
        nll,
        health,
        status,
        table,
        emissions,
        norms,
        edges,
        checkpoints,
    )
    args = Args(
        *[None if tensor is None else tensor.data_ptr() for tensor in pointers],
        prior_floor,
        logits.stride(0),
        logits.stride(1),
        geometry.batch,
        geometry.frames,
        geometry.classes,
        blank,
        geometry.longest,
        geometry.width,
        geometry.warps,
        geometry.keep,
        geometry.slots,
        normalize,
        DTYPES[logits.dtype],
        0,
    )
    if geometry.batch == 0:
        return nll, grad, health
    per_lane, threads, per_frame = (
        geometry.per_lane,
        32 * geometry.warps,
        -(-geometry.batch * geometry.frames // 8),
    )
    launch("prepare", geometry.batch, 1, 256, 0, args)
    if geometry.frames:
        launch("emissions", per_frame, 1, 256, 0, args)
        launch(f"chains_{per_lane}", geometry.batch, 2, threads, 0, args)
    launch(f"finish_{per_lane}", geometry.batch, 1, 32, 0, args)
    if grad is not None and geometry.frames:
        launch(
            f"occupancies_{per_lane}",
            geometry.batch * (geometry.slots - 1),
            1,
            threads,
            8 * geometry.keep * geometry.line,
            args,
        )
        launch("gradient", per_frame, 1, 256, 0, args)
    return nll, grad, health
