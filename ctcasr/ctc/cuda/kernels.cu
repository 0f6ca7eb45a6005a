// The kernels: each finds its block, warp or row and hands over.
#include "finish.cuh"

#define KERNEL extern "C" __global__ void

extern __shared__ int shared[];

KERNEL __launch_bounds__(256) prepare(const __grid_constant__ Args a) { prepare_block(a, blockIdx.x, shared); }

// One warp per chunk or frame of the padded batch.
CODE long long warp_of_grid() { return (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; }

KERNEL __launch_bounds__(128) small_scores(const __grid_constant__ Args a) { small_score_warp(a, warp_of_grid()); }
KERNEL __launch_bounds__(128) scores(const __grid_constant__ Args a) { score_warp(a, warp_of_grid()); }
KERNEL __launch_bounds__(256) gradient(const __grid_constant__ Args a) { gradient_warp(a, warp_of_grid()); }
KERNEL __launch_bounds__(256) wide_gradient(const __grid_constant__ Args a) {
    wide_gradient_block(a, blockIdx.x, reinterpret_cast<float*>(shared));
}

#define TILES(name, Q, many, threads, blocks)                                                                          \
    KERNEL __launch_bounds__(threads) sweeps_##name(const __grid_constant__ Args a) {                                              \
        if (blockIdx.y) sweep_block<Q, true, many>(a, blockIdx.x, shared);                                       \
        else sweep_block<Q, false, many>(a, blockIdx.x, shared);                                                 \
    }                                                                                                            \
    KERNEL __launch_bounds__(threads, blocks) segments_##name(const __grid_constant__ Args a) {                                           \
        const int groups = (a.chunks + SPAN - 1) / SPAN;                                                         \
        segment_block<Q, many>(a, blockIdx.x / groups, blockIdx.x % groups, shared);                             \
    }

TILES(short, 4, false, 32, 20)          // up to 63 labels in one warp
TILES(one, 8, false, 32, 16)            // up to 127
TILES(long, 16, false, 32, 8)           // up to 255
TILES(many, 8, true, 512, 1)            // more, in as many warps as it takes

#define STATES_PER_LANE(Q)                                                                                       \
    KERNEL __launch_bounds__(512) finish_##Q(const __grid_constant__ Args a) {                                                     \
        float* mantissas = reinterpret_cast<float*>(shared);                                                     \
        finish_block<Q>(a, blockIdx.x, blockDim.x / 32, mantissas, shared + a.keep * Q * 32 * a.warps);          \
    }

STATES_PER_LANE(2)
STATES_PER_LANE(4)
STATES_PER_LANE(8)
