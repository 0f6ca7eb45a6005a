// The kernels: each finds its block, warp or row and hands over. PART (see launch.py) chooses those that are
// compiled, since no batch needs them all; without it all are.
#include "finish.cuh"

#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name(const __grid_constant__ Args a)

#ifndef PART
#define PART 0
#endif
#define WANTED(part) (PART == 0 || PART == part)

extern __shared__ int shared[];

#if WANTED(1)
// One warp per chunk or frame of the padded batch.
CODE long long warp_of_grid() { return (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; }

KERNEL(prepare, 256) { prepare_block(a, blockIdx.x, shared); }
KERNEL(small_scores, 128) { small_score_warp(a, warp_of_grid()); }
KERNEL(scores, 128) { score_warp(a, warp_of_grid()); }
KERNEL(gradient, 256) { gradient_warp(a, warp_of_grid()); }
KERNEL(wide_gradient, 256) { wide_gradient_block(a, blockIdx.x, reinterpret_cast<float*>(shared)); }
#endif

#define TILES(name, Q, many, threads, blocks)                                                \
    KERNEL(sweeps_##name, threads) {                                                         \
        if (blockIdx.y) sweep_block<Q, true, many>(a, blockIdx.x, shared);                   \
        else sweep_block<Q, false, many>(a, blockIdx.x, shared);                             \
    }                                                                                        \
    KERNEL(segments_##name, threads, blocks) {                                               \
        const int groups = (a.chunks + a.span - 1) / a.span;                                 \
        segment_block<Q, many>(a, blockIdx.x / groups, blockIdx.x % groups, shared);         \
    }

#if WANTED(2)
TILES(short, 4, false, 32, 20)          // up to 63 labels in one warp
#endif
#if WANTED(3)
TILES(one, 8, false, 32, 16)            // up to 127
#endif
#if WANTED(4)
TILES(long, 16, false, 32, 10)          // up to 255
#endif
#if WANTED(5)
TILES(many, 8, true, 512, 1)            // more, in as many warps as it takes
#endif

#define STATES_PER_LANE(Q)                                                                   \
    KERNEL(finish_##Q, 512) {                                                                \
        float* mantissas = reinterpret_cast<float*>(shared);                                 \
        int* exponents = shared + a.keep * Q * 32 * a.warps;                                 \
        finish_block<Q>(a, blockIdx.x, blockDim.x / 32, mantissas, exponents);               \
    }

#if WANTED(6)
STATES_PER_LANE(2)
#endif
#if WANTED(7)
STATES_PER_LANE(4)
#endif
#if WANTED(8)
STATES_PER_LANE(8)
#endif
