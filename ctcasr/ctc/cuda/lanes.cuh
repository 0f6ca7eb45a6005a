// One warp, written once for two compilers: NVRTC runs the 32 lanes of a region at once, a host compiler in a loop.
//
// A region is EACH_LANE(lane) { ... }: ordinary scalar code over values of type Reg<T>, with no exchange between
// lanes inside. Exchange (shift_up, broadcast, sum_all, max_all) happens between regions, on whole Reg values.
// EACH_WARP and BARRIER do the same one level up, for the warps of a block.
#pragma once

#ifdef __CUDACC__
#define CODE __device__ __forceinline__
#define CALLED __device__ __noinline__  // once in the program: it is long, and seldom run
#define UNROLL _Pragma("unroll")
#define EACH_LANE(lane) if (const int lane = threadIdx.x & 31; true)
// The shuffle tells the compiler that all lanes know the same warp: no shuffle inside need ask who is there.
#define EACH_WARP(warp, count) if (const int warp = __shfl_sync(0xffffffffu, threadIdx.x >> 5, 0); warp < (count))
#define BARRIER() __syncthreads()
#define WARP_BARRIER() __syncwarp()
#define THREAD_INDEX int(threadIdx.x)
#define THREAD_COUNT int(blockDim.x)

template <class T> struct Reg {
    T value;
    CODE T& operator[](int) { return value; }
    CODE const T& operator[](int) const { return value; }
};
template <class T> using PerWarp = Reg<T>;

CODE float as_float(int bits) { return __int_as_float(bits); }
CODE int as_int(float value) { return __float_as_int(value); }
CODE void add_atomic(int* to, int what) { atomicAdd(to, what); }
CODE void max_atomic(int* to, int what) { atomicMax(to, what); }
CODE float mantissa(int bits) {         // the exponent replaced by that of one, in one instruction
    int m;
    asm("lop3.b32 %0, %1, 0x7fffff, %2, 0xea;" : "=r"(m) : "r"(bits), "r"(0x3f800000));
    return as_float(m);
}
CODE float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
CODE float half_to_float(unsigned short h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h)); return f; }
CODE unsigned short float_to_half(float f) {
    unsigned short h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}

// What the lane `by` before (after) has; the first (last) lanes, which have none, get something.
template <class T> CODE Reg<T> shift_up(const Reg<T>& x, int by) { return {__shfl_up_sync(0xffffffffu, x.value, by)}; }
template <class T> CODE Reg<T> shift_down(const Reg<T>& x, int by) {
    return {__shfl_down_sync(0xffffffffu, x.value, by)};
}
template <class T> CODE T broadcast(const Reg<T>& x, int from) { return __shfl_sync(0xffffffffu, x.value, from); }
template <class T> CODE Reg<T> exchange(const Reg<T>& x, int step) {     // with the lane whose number differs by a bit
    return {__shfl_xor_sync(0xffffffffu, x.value, step)};
}
template <class T> CODE T sum_all(const Reg<T>& x) {
    T sum = x.value;
    UNROLL for (int step = 16; step; step >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    return sum;
}
CODE float max_all(const Reg<float>& x) {
    float top = x.value;
    UNROLL for (int step = 16; step; step >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, step));
    return top;
}
CODE int count_all(const Reg<int>& x) {  // the sum of whole numbers
#if __CUDA_ARCH__ >= 800
    return __reduce_add_sync(0xffffffffu, x.value);
#else
    return sum_all(x);
#endif
}
CODE bool any_lane(const Reg<bool>& x) { return __any_sync(0xffffffffu, x.value); }
CODE int nearest(float x) { return __float2int_rn(x); }
using SharedCell = unsigned;            // where an int lies in shared memory
CODE SharedCell shared_cell(int* from) { return unsigned(__cvta_generic_to_shared(from)); }
CODE void count_up(SharedCell from, int at, int what) {
    asm volatile("red.shared.add.u32 [%0], %1;" :: "r"(from + 4 * at), "r"(what) : "memory");
}
// Brings memory that is read soon into the nearest cache.
CODE void prefetch(const float* from) { asm volatile("prefetch.global.L1 [%0];" :: "l"(from)); }
CODE void load_four(const float* from, float* to) {      // from a multiple of 16 bytes
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x; to[1] = four.y; to[2] = four.z; to[3] = four.w;
}
CODE void store_four(float* to, const float* from) {
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
}
CODE void store_eight(float* to, const float* from) {
    reinterpret_cast<float4*>(to)[0] = make_float4(from[0], from[1], from[2], from[3]);
    reinterpret_cast<float4*>(to)[1] = make_float4(from[4], from[5], from[6], from[7]);
}
#else
#include <cmath>
#include <cstring>
#include <vector>
using std::fabs;
using std::log;
using std::log2;
using std::rint;
inline bool reverse_warps = false;  // the order of the warps inside a phase must not matter: tests run both
#define CODE inline
#define CALLED inline
#define UNROLL
#define EACH_LANE(lane) for (int lane = 0; lane < 32; ++lane)
#define EACH_WARP(warp, count) \
    for (int at_ = 0, warp; at_ < (count) && (warp = reverse_warps ? (count) - 1 - at_ : at_, true); ++at_)
#define BARRIER() ((void)0)
#define WARP_BARRIER() ((void)0)
#define THREAD_INDEX 0
#define THREAD_COUNT 1

template <class T> struct Reg {
    T value[32];
    T& operator[](int lane) { return value[lane]; }
    const T& operator[](int lane) const { return value[lane]; }
};
template <class T> struct PerWarp {
    std::vector<T> value = std::vector<T>(32);
    T& operator[](int warp) { return value[warp]; }
};

CODE float as_float(int bits) { float value; std::memcpy(&value, &bits, 4); return value; }
CODE int as_int(float value) { int bits; std::memcpy(&bits, &value, 4); return bits; }
CODE int max(int a, int b) { return a > b ? a : b; }
CODE int min(int a, int b) { return a < b ? a : b; }
CODE void add_atomic(int* to, int what) { *to += what; }
CODE void max_atomic(int* to, int what) { *to = max(*to, what); }
CODE float mantissa(int bits) { return as_float((bits & 0x7fffff) | 0x3f800000); }
CODE float exp2_fast(float x) { return std::exp2(x); }
CODE float half_to_float(unsigned short h) { _Float16 f; std::memcpy(&f, &h, 2); return float(f); }
CODE unsigned short float_to_half(float f) { _Float16 g(f); unsigned short h; std::memcpy(&h, &g, 2); return h; }

template <class T> CODE Reg<T> shift_up(const Reg<T>& x, int by) {
    Reg<T> y;
    EACH_LANE(lane) y[lane] = x[lane < by ? lane : lane - by];
    return y;
}
template <class T> CODE Reg<T> shift_down(const Reg<T>& x, int by) {
    Reg<T> y;
    EACH_LANE(lane) y[lane] = x[lane + by > 31 ? lane : lane + by];
    return y;
}
template <class T> CODE T broadcast(const Reg<T>& x, int from) { return x[from]; }
template <class T> CODE Reg<T> exchange(const Reg<T>& x, int step) {
    Reg<T> y;
    EACH_LANE(lane) y[lane] = x[lane ^ step];
    return y;
}
template <class T> CODE T sum_all(Reg<T> x) {  // the same butterfly as on the device: the same bits
    for (int step = 16; step; step >>= 1) {
        Reg<T> y = x;
        EACH_LANE(lane) x[lane] = y[lane] + y[lane ^ step];
    }
    return x[0];
}
CODE float max_all(const Reg<float>& x) {
    float top = x[0];
    EACH_LANE(lane) top = std::fmax(top, x[lane]);
    return top;
}
CODE int count_all(const Reg<int>& x) { return sum_all(x); }
CODE bool any_lane(const Reg<bool>& x) {
    bool any = false;
    EACH_LANE(lane) any |= x[lane];
    return any;
}
using SharedCell = int*;
CODE SharedCell shared_cell(int* from) { return from; }
CODE void count_up(SharedCell from, int at, int what) { from[at] += what; }
CODE int nearest(float x) { return x >= 2147483648.0f ? 2147483647 : int(std::nearbyint(x)); }
CODE void store_eight(float* to, const float* from) { std::memcpy(to, from, 32); }
CODE void prefetch(const float*) {}
CODE void load_four(const float* from, float* to) { std::memcpy(to, from, 16); }
CODE void store_four(float* to, const float* from) { std::memcpy(to, from, 16); }
#endif
