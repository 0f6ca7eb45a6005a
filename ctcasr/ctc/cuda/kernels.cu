// The kernels: each finds its block, warp or row and hands over to frames.cuh or chains.cuh.
#include "chains.cuh"
#include "frames.cuh"

#define KERNEL extern "C" __global__ void

KERNEL prepare(const Args a) { prepare_block(a, blockIdx.x); }

// One warp per frame of the padded batch.
CODE long long frame() { return (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; }

KERNEL __launch_bounds__(256) emissions(const Args a) { frame_warp(a, false, frame()); }
KERNEL __launch_bounds__(256) gradient(const Args a) { frame_warp(a, true, frame()); }

#define STATES_PER_LANE(Q, threads)                                                                              \
    KERNEL __launch_bounds__(threads) chains_##Q(const Args a) { chain_block<Q>(a, blockIdx.x, blockIdx.y); }    \
    KERNEL finish_##Q(const Args a) { finish_warp<Q>(a, blockIdx.x); }                                           \
    KERNEL __launch_bounds__(threads) occupancies_##Q(const Args a) {                                            \
        extern __shared__ float shared[];                                                                        \
        int* exponents = reinterpret_cast<int*>(shared + a.keep * Q * 32 * a.warps);                             \
        const int segments = a.slots - 1;                                                                        \
        occupancy_block<Q>(a, blockIdx.x / segments, blockIdx.x % segments, shared, exponents);                  \
    }

STATES_PER_LANE(2, 128)
STATES_PER_LANE(4, 512)
STATES_PER_LANE(8, 512)
