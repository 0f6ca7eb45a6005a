"""How a batch is cut into lanes, warps, segments and buffers: for kernels and their host twin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

MOST_LABELS = 2047  # 4095 states: 16 warps of 32 lanes of 8 states
# States of one segment in shared memory, 8 bytes each: 64 KiB, which every GPU since Volta grants.
SHARED_STATES = 8192
BYTES_OF_A_STATE = 8  # a float mantissa and an int exponent
DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}

CHUNK = 8  # frames that are stored together, and that a block of `segments` works on

_LANES = 32  # of a warp
_CHUNKS_PER_BLOCK = 4  # of `scores`, which gives each chunk of frames a warp
_LEAST_FINISH_WARPS = 8
_TILE = 4  # states that share an exponent on the fast road
_MOST_SMALL_CLASSES = 128  # of `small_scores`
_MOST_SHARED_CLASSES = 8192  # whose occupancies lie in shared memory
_MOST_CLASSES_OF_FEW_THREADS = 1024
_MOST_SPAN = 4
_ENOUGH_BLOCKS = 4096  # of `segments`: some for each scheduler of the largest devices
_EDGE_WORDS = 16  # what a warp has to know of the warp before it, for one chunk
_BYTES_OF_A_WORD = 4
_ALIGNMENT = 256  # of the parts of the scratch memory

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
    "probabilities",
    "norms",
    "totals",
    "scratch",
)
_PLACED = ("status", "totals", "table", "norms", "probabilities", "scratch")  # in the workspace
_LONGS = ("stride_b", "stride_t", "scratch_bytes", "fast_edges", "exact_edges", "checkpoints")
_INTEGERS = (
    "batch",
    "frames",
    "classes",
    "blank",
    "longest",
    "width",
    "chunks",
    "tile",
    "tile_warps",
    "warps",
    "keep",
    "slots",
    "normalize",
    "dtype",
    "exact",
    "span",
)


class Args(ctypes.Structure):
    """The one argument of every kernel: field by field the struct Args of batch.cuh."""

    _fields_ = [
        *[(name, ctypes.c_void_p) for name in _POINTERS],
        *[(name, ctypes.c_longlong) for name in _LONGS],
        *[(name, ctypes.c_int) for name in _INTEGERS],
    ]


# name, grid x, grid y, threads of a block, bytes of shared memory, arguments
Launch = Callable[[str, int, int, int, int, Args], None]


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


@dataclass(frozen=True)
class KernelGeometry:
    """Geometry for a batch [B, T, C] whose longest target has `longest` labels.

    With `exact` every row takes the road that is otherwise kept for rows whose numbers do not fit.
    """

    batch: int
    frames: int
    classes: int
    longest: int
    need_grad: bool
    exact: bool = False

    @cached_property
    def chunks(self) -> int:
        """Chunks of frames of one row."""
        return -(-self.frames // CHUNK)

    @cached_property
    def width(self) -> int:
        """Emission columns of a row: the blank and each different label, or all classes."""
        return min(self.classes, self.longest + 1)

    @cached_property
    def table(self) -> int:
        """Integers in a row of the table of labels (struct Table of batch.cuh)."""
        return 2 * self.width + 3 * self.longest + 3

    @property
    def is_dense(self) -> bool:
        """Whether each class has an emission column."""
        return self.width == self.classes

    # The fast road: a lane holds tiles of states.

    @cached_property
    def tile_states(self) -> int:
        """States a lane holds: few where that makes a frame short, many before a second warp."""
        for states in (4, 8, 16):
            if 2 * (self.longest + 1) <= states * _LANES:
                return states
        return 8

    @cached_property
    def tile_warps(self) -> int:
        """Warps of a block, which works on one row in one direction."""
        return -(-2 * (self.longest + 1) // (_LANES * self.tile_states))

    @property
    def tile_kernel(self) -> str:
        """Which of the kernels takes such rows."""
        if self.tile_warps > 1:
            return "many"
        return {4: "short", 8: "one", 16: "long"}[self.tile_states]

    @cached_property
    def span(self) -> int:
        """Chunks that a block of `segments` works on: few while there are blocks to fill."""
        spare = self.batch * self.chunks // _ENOUGH_BLOCKS
        return min(1 << max(spare.bit_length() - 1, 0), _MOST_SPAN)  # a power of two

    @property
    def counts(self) -> int:
        """Words of shared memory of a block of `segments`."""
        kept = CHUNK * self.tile_states * _LANES if self.tile_warps == 1 else 0
        edges = 3 * self.tile_warps * _EDGE_WORDS
        return kept + CHUNK + (CHUNK + 1) * self.width + edges

    @property
    def takes_exact_road(self) -> bool:
        """Whether all rows do: asked for, or the counts of so many columns do not fit."""
        return self.exact or _BYTES_OF_A_WORD * self.counts > BYTES_OF_A_STATE * SHARED_STATES

    @cached_property
    def mark_bytes(self) -> int:
        """The marks of one row: one before each chunk in each direction, and the last states."""
        lines = self.tile_states + 1 + self.tile_states // _TILE
        words = 2 * (self.chunks + 1) * lines * _LANES * self.tile_warps
        return _aligned(_BYTES_OF_A_WORD * words)

    # The exact road: each state has an exponent of its own.

    @cached_property
    def states(self) -> int:
        """Of the longest target's lattice."""
        return 2 * self.longest + 1

    @cached_property
    def per_lane(self) -> int:
        """States a lane holds, Q: few while the warps of a block have a scheduler each."""
        if self.states <= 256:
            return 2
        return 4 if self.states <= 2048 else 8

    @cached_property
    def warps(self) -> int:
        """Of a block, which works on one row."""
        return -(-self.states // (_LANES * self.per_lane))

    @cached_property
    def line(self) -> int:
        """States of one row, with padding."""
        return _LANES * self.per_lane * self.warps

    @cached_property
    def keep(self) -> int:
        """Frames between checkpoints, a power of two; all of them if only the loss is asked for."""
        if not self.need_grad:
            return 1 << max(self.frames - 1, 0).bit_length()
        fitting = min(SHARED_STATES // self.line, 32)
        return 1 << (fitting.bit_length() - 1)

    @cached_property
    def slots(self) -> int:
        """Checkpoints of one row and direction."""
        return -(-self.frames // self.keep) + 1

    @cached_property
    def emission_bytes(self) -> int:
        """The emissions of one row."""
        return _aligned(BYTES_OF_A_STATE * self.frames * self.width)

    @cached_property
    def edge_bytes(self) -> int:
        """What the warps of one row hand on."""
        return _aligned(BYTES_OF_A_STATE * 2 * self.frames * self.warps)

    @cached_property
    def scratch_bytes(self) -> int:
        """Of one row: the parts of both roads share it, since the fast one is done by then."""
        edges = 2 * self.chunks * self.tile_warps * _EDGE_WORDS * _BYTES_OF_A_WORD
        fast = self.mark_bytes + _aligned(edges)
        checkpoints = _aligned(BYTES_OF_A_STATE * 2 * self.slots * self.line)
        return max(fast, self.emission_bytes + self.edge_bytes + checkpoints)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where the parts of the workspace begin, in bytes, and where it ends."""
        cells = self.chunks * self.width * CHUNK
        sizes = {
            "status": _BYTES_OF_A_WORD,  # [B]
            "totals": BYTES_OF_A_STATE,  # [B]
            "table": _BYTES_OF_A_WORD * self.table,  # [B, table]
            "norms": BYTES_OF_A_STATE * self.frames,  # [B, T]
            "probabilities": _BYTES_OF_A_WORD * cells,  # [B, chunks, width, CHUNK]
            "scratch": self.scratch_bytes,  # [B, scratch_bytes]
        }
        places = {}
        end = 0
        for name, size in sizes.items():
            places[name] = end
            end += _aligned(self.batch * size)
        places["end"] = end
        return places


@dataclass(frozen=True)
class Buffers:
    """What the kernels write, on the device of the logits."""

    nll: Tensor  # float32 [B]
    grad: Tensor | None  # [B, T, C]
    health: Tensor  # float32 [B]
    workspace: Tensor  # bytes, see KernelGeometry.places

    @classmethod
    def allocate(cls, geometry: KernelGeometry, logits: Tensor) -> Buffers:
        """Uninitialised memory for a batch of logits [B, T, C]."""
        device = logits.device
        grad = None
        if geometry.need_grad:
            grad = torch.empty(logits.shape, dtype=logits.dtype, device=device)
        # Each in memory of its own: an operator of torch may not return two views of one tensor.
        nll = torch.empty(geometry.batch, dtype=torch.float32, device=device)
        health = torch.empty_like(nll)
        size = geometry.places["end"]
        workspace = torch.empty(size, dtype=torch.uint8, device=device)
        return cls(nll, grad, health, workspace)


def run(
    launch: Launch,
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor,
    geometry: KernelGeometry,
    blank: int,
    prior: Tensor | None,
    normalize: bool,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Loss [B], gradient [B, T, C] and health [B] of logits whose classes lie side by side.

    `lengths` int64 [3, B]: frames, labels and where the labels of each row begin in `targets`.
    `prior` float64 [C + 1]: less its smallest value, and that value. All tensors lie on the device
    of the logits; nothing waits for it.
    """
    if geometry.batch == 0:
        empty = torch.empty(0, dtype=torch.float32, device=logits.device)
        grad = torch.empty_like(logits) if geometry.need_grad else None
        return empty, grad, torch.empty_like(empty)
    buffers = Buffers.allocate(geometry, logits)
    args = Args(
        logits=logits.data_ptr(),
        grad=_address(buffers.grad),
        lengths=lengths.data_ptr(),
        targets=targets.data_ptr(),
        prior=_address(prior),
        nll=buffers.nll.data_ptr(),
        health=buffers.health.data_ptr(),
        stride_b=logits.stride(0),
        stride_t=logits.stride(1),
        scratch_bytes=geometry.scratch_bytes,
        fast_edges=geometry.mark_bytes,
        exact_edges=geometry.emission_bytes,
        checkpoints=geometry.emission_bytes + geometry.edge_bytes,
        batch=geometry.batch,
        frames=geometry.frames,
        classes=geometry.classes,
        blank=blank,
        longest=geometry.longest,
        width=geometry.width,
        chunks=geometry.chunks,
        tile=geometry.tile_states,
        tile_warps=geometry.tile_warps,
        warps=geometry.warps,
        keep=geometry.keep,
        slots=geometry.slots,
        normalize=normalize,
        dtype=DTYPES[logits.dtype],
        exact=geometry.takes_exact_road,
        span=geometry.span,
    )
    workspace = buffers.workspace.data_ptr()
    for name in _PLACED:
        setattr(args, name, workspace + geometry.places[name])
    _launch_all(launch, geometry, args)
    return buffers.nll, buffers.grad, buffers.health


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _launch_all(launch: Launch, geometry: KernelGeometry, args: Args) -> None:
    """The kernels of one batch, in their order (see batch.cuh)."""
    rows = geometry.batch
    chunks = rows * geometry.chunks
    launch("prepare", rows, 1, 256, _BYTES_OF_A_WORD * geometry.longest, args)
    if geometry.frames:
        blocks = -(-chunks // _CHUNKS_PER_BLOCK)
        is_small = geometry.is_dense and geometry.classes <= _MOST_SMALL_CLASSES
        scores = "small_scores" if is_small else "scores"
        launch(scores, blocks, 1, _LANES * _CHUNKS_PER_BLOCK, 0, args)
    tile_threads = _LANES * geometry.tile_warps
    if geometry.frames and not geometry.takes_exact_road:
        kernel = geometry.tile_kernel
        ring = (2 * geometry.tile_warps + 1) * _EDGE_WORDS
        launch(f"sweeps_{kernel}", rows, 2, tile_threads, _BYTES_OF_A_WORD * ring, args)
        if geometry.need_grad:
            groups = rows * -(-geometry.chunks // geometry.span)
            shared = _BYTES_OF_A_WORD * geometry.counts
            launch(f"segments_{kernel}", groups, 1, tile_threads, shared, args)
    finish_threads = _LANES * max(geometry.warps, _LEAST_FINISH_WARPS)
    shared = BYTES_OF_A_STATE * geometry.keep * geometry.line if geometry.need_grad else 0
    launch(f"finish_{geometry.per_lane}", rows, 1, finish_threads, shared, args)
    # Where the columns are all classes, `segments` and `finish` have written it.
    is_written = geometry.is_dense and not geometry.takes_exact_road
    if not geometry.need_grad or not geometry.frames or is_written:
        return
    if geometry.classes <= _MOST_SHARED_CLASSES:
        threads = 128 if geometry.classes <= _MOST_CLASSES_OF_FEW_THREADS else 256
        launch("wide_gradient", chunks, 1, threads, _BYTES_OF_A_WORD * geometry.classes, args)
    else:
        launch("gradient", chunks, 1, _LANES * CHUNK, 0, args)
