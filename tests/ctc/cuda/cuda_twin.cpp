// Runs the kernels of ctcasr/ctc/cuda on the host: the same headers, with the blocks, warps and lanes in loops.
// It also stands in for the driver, so that the Python side of a launch runs: only what launch.py calls.
#include <string>

#include "chains.cuh"
#include "frames.cuh"

template <int Q> static void per_lane(const std::string& kernel, int x, int y, int shared, const Args& a) {
    std::vector<float> m(shared / 8);
    std::vector<int> e(shared / 8);
    for (int j = 0; j < y; ++j)
        for (int i = 0; i < x; ++i) {
            if (kernel == "chains") chain_block<Q>(a, i, j);
            if (kernel == "finish") finish_warp<Q>(a, i);
            const int segments = a.slots - 1;
            if (kernel == "occupancies") occupancy_block<Q>(a, i / segments, i % segments, m.data(), e.data());
        }
}

extern "C" int args_size() { return sizeof(Args); }

extern "C" void launch(const char* name, int x, int y, int threads, int shared, const Args* args, int reversed) {
    const Args& a = *args;
    const std::string full(name), kernel = full.substr(0, full.find('_'));
    reverse_warps = reversed;
    if (kernel == "prepare")
        for (int row = 0; row < x; ++row) prepare_block(a, row);
    else if (kernel == "emissions" || kernel == "gradient")
        for (long long i = 0; i < (long long)x * (threads / 32); ++i) frame_warp(a, kernel == "gradient", i);
    else if (full.back() == '2')
        per_lane<2>(kernel, x, y, shared, a);
    else if (full.back() == '4')
        per_lane<4>(kernel, x, y, shared, a);
    else
        per_lane<8>(kernel, x, y, shared, a);
}

extern "C" {
static int granted = 48 << 10;

int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = &granted, device; }
int cuCtxSetCurrent(void* context) { return context == &granted ? 0 : 201; }
int cuModuleLoadData(void** module, const void* image) {
    *module = &granted;
    return std::memcmp(image, "\x7f" "ELF", 4) ? 200 : 0;
}
int cuModuleGetFunction(void** function, void*, const char* name) { return *function = new std::string(name), 0; }
int cuFuncSetAttribute(void*, int attribute, int value) { return granted = value, attribute != 8; }
int cuGetErrorString(int, const char** text) { return *text = "refused by the twin", 0; }
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned ty, unsigned tz,
                   unsigned shared, void* stream, void** parameters, void** extra) {
    const std::string& name = *static_cast<std::string*>(function);
    const unsigned most = name.find('_') == name.npos ? 256 : name.back() == '2' ? 128 : 512;  // __launch_bounds__
    if (!x || !y || z != 1 || ty != 1 || tz != 1 || threads > most || threads % 32 || extra) return 1;
    if (shared > unsigned(granted) || stream != reinterpret_cast<void*>(7)) return 2;
    launch(name.c_str(), int(x), int(y), int(threads), int(shared), static_cast<const Args*>(parameters[0]), 0);
    return 0;
}
}
