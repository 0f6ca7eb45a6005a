"""How a batch is cut into lanes, warps, segments and buffers: for kernels and their host twin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_LABELS = 2047  # 4095 states: 16 warps of 32 lanes of 8 states
# States of one segment in shared memory, 8 bytes each: 64 KiB, which every GPU since Volta grants.
SHARED_STATES = 8192
BYTES_OF_A_STATE = 8  # a float mantissa and an int exponent
DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}

_LANES = 32  # of a warp
_FRAMES_PER_BLOCK = 8  # of the kernels that give each frame a warp
_BLOCK_THREADS = _LANES * _FRAMES_PER_BLOCK
_PAIR = torch.int64  # one mantissa and one exponent

_POINTERS = (
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
_INTEGERS = (
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


class Args(ctypes.Structure):
    """The one argument of every kernel: field by field the struct Args of batch.cuh."""

    _fields_ = [
        *[(name, ctypes.c_void_p) for name in _POINTERS],
        ("prior_floor", ctypes.c_double),
        ("stride_b", ctypes.c_longlong),
        ("stride_t", ctypes.c_longlong),
        *[(name, ctypes.c_int) for name in _INTEGERS],
    ]


# name, grid x, grid y, threads of a block, bytes of shared memory, arguments
Launch = Callable[[str, int, int, int, int, Args], None]


@dataclass(frozen=True)
class KernelGeometry:
    """Geometry for a batch [B, T, C] whose longest target has `longest` labels."""

    batch: int
    frames: int
    classes: int
    longest: int
    need_grad: bool

    @property
    def states(self) -> int:
        """Of the longest target's lattice."""
        return 2 * self.longest + 1

    @property
    def per_lane(self) -> int:
        """States a lane holds, Q: few while the warps of a block have a scheduler each."""
        if self.states <= 256:
            return 2
        return 4 if self.states <= 2048 else 8

    @property
    def warps(self) -> int:
        """Of a block, which works on one row."""
        return -(-self.states // (_LANES * self.per_lane))

    @property
    def line(self) -> int:
        """States of one row, with padding."""
        return _LANES * self.per_lane * self.warps

    @property
    def keep(self) -> int:
        """Frames between checkpoints, a power of two; all of them if only the loss is asked for."""
        if not self.need_grad:
            return 1 << max(self.frames - 1, 0).bit_length()
        fitting = min(SHARED_STATES // self.line, 32)
        return 1 << (fitting.bit_length() - 1)

    @property
    def slots(self) -> int:
        """Checkpoints of one row and direction."""
        return -(-self.frames // self.keep) + 1

    @property
    def width(self) -> int:
        """Emission columns of a row: the blank and each different label."""
        return min(self.classes, self.longest + 1)

    @property
    def table(self) -> int:
        """Integers in a row of the table of labels (struct Table of batch.cuh)."""
        return 2 * self.width + 3 * self.longest + 3


@dataclass(frozen=True)
class Buffers:
    """What the kernels write, on the device of the logits."""

    nll: Tensor  # float32 [B]
    grad: Tensor | None  # [B, T, C]
    health: Tensor  # float32 [B]
    status: Tensor  # int32 [B]
    table: Tensor  # int32 [B, geometry.table]
    emissions: Tensor  # pairs [B, T, width]
    norms: Tensor  # pairs [B, T]
    edges: Tensor  # pairs [B, 2, T, warps]
    checkpoints: Tensor  # pairs [B, 2, slots, line]

    @classmethod
    def allocate(cls, geometry: KernelGeometry, logits: Tensor) -> Buffers:
        """Uninitialised memory for a batch of logits [B, T, C]."""
        rows = geometry.batch
        frames = geometry.frames
        device = logits.device
        grad = None
        if geometry.need_grad:
            grad = torch.empty(logits.shape, dtype=logits.dtype, device=device)
        edges_shape = (rows, 2, frames, geometry.warps)
        checkpoints_shape = (rows, 2, geometry.slots, geometry.line)
        return cls(
            nll=torch.empty(rows, device=device),
            grad=grad,
            health=torch.empty(rows, device=device),
            status=torch.empty(rows, dtype=torch.int32, device=device),
            table=torch.empty(rows, geometry.table, dtype=torch.int32, device=device),
            emissions=torch.empty(rows, frames, geometry.width, dtype=_PAIR, device=device),
            norms=torch.empty(rows, frames, dtype=_PAIR, device=device),
            edges=torch.empty(edges_shape, dtype=_PAIR, device=device),
            checkpoints=torch.empty(checkpoints_shape, dtype=_PAIR, device=device),
        )


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
    buffers = Buffers.allocate(geometry, logits)
    tensors = {
        "logits": logits,
        "lengths": lengths,
        "targets": targets,
        "prior": prior,
        **vars(buffers),
    }
    addresses = {}
    for name in _POINTERS:
        tensor = tensors[name]
        addresses[name] = None if tensor is None else tensor.data_ptr()
    args = Args(
        **addresses,
        prior_floor=prior_floor,
        stride_b=logits.stride(0),
        stride_t=logits.stride(1),
        batch=geometry.batch,
        frames=geometry.frames,
        classes=geometry.classes,
        blank=blank,
        longest=geometry.longest,
        width=geometry.width,
        warps=geometry.warps,
        keep=geometry.keep,
        slots=geometry.slots,
        normalize=normalize,
        dtype=DTYPES[logits.dtype],
        unused=0,
    )
    if geometry.batch:
        _launch_all(launch, geometry, args)
    return buffers.nll, buffers.grad, buffers.health


def _launch_all(launch: Launch, geometry: KernelGeometry, args: Args) -> None:
    """The kernels of one batch, in their order (see batch.cuh)."""
    rows = geometry.batch
    per_lane = geometry.per_lane
    row_threads = _LANES * geometry.warps
    frame_blocks = -(-rows * geometry.frames // _FRAMES_PER_BLOCK)
    launch("prepare", rows, 1, _BLOCK_THREADS, 0, args)
    if geometry.frames:
        launch("emissions", frame_blocks, 1, _BLOCK_THREADS, 0, args)
        launch(f"chains_{per_lane}", rows, 2, row_threads, 0, args)
    launch(f"finish_{per_lane}", rows, 1, _LANES, 0, args)
    if geometry.need_grad and geometry.frames:
        segments = rows * (geometry.slots - 1)
        shared = BYTES_OF_A_STATE * geometry.keep * geometry.line
        launch(f"occupancies_{per_lane}", segments, 1, row_threads, shared, args)
        launch("gradient", frame_blocks, 1, _BLOCK_THREADS, 0, args)
