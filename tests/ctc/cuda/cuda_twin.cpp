// Runs the kernels of ctcasr/ctc/cuda on the host: the same headers, with the blocks, warps and lanes in loops.
// It also stands in for the driver, so that the Python side of a launch runs: only what launch.py calls.
#include <string>

#include "finish.cuh"

template <int Q, bool MANY>
static void tiles(const std::string& kernel, int x, int y, std::vector<int>& shared, const Args& a) {
    const int groups = (a.chunks + a.span - 1) / a.span;
    for (int i = 0; i < x; ++i) {
        if (kernel == "segments") segment_block<Q, MANY>(a, i / groups, i % groups, shared.data());
        for (int direction = 0; direction < y && kernel == "sweeps"; ++direction)
            direction ? sweep_block<Q, true, MANY>(a, i, shared.data()) : sweep_block<Q, false, MANY>(a, i, shared.data());
    }
}

template <int Q> static void finish(int x, int threads, std::vector<int>& shared, const Args& a) {
    float* mantissas = reinterpret_cast<float*>(shared.data());
    for (int i = 0; i < x; ++i)
        finish_block<Q>(a, i, threads / 32, mantissas, shared.data() + shared.size() / 2);
}

extern "C" int args_size() { return sizeof(Args); }

extern "C" void launch(const char* name, int x, int y, int threads, int shared, const Args* args, int reversed) {
    const Args& a = *args;
    const std::string full(name), kernel = full.substr(0, full.find('_'));
    reverse_warps = reversed;
    std::vector<int> memory(shared / 4);
    if (kernel == "prepare")
        for (int row = 0; row < x; ++row) prepare_block(a, row, memory.data());
    for (long long i = 0; i < (long long)x * (threads / 32); ++i) {
        if (kernel == "scores") score_warp(a, i);
        if (full == "small_scores") small_score_warp(a, i);
        if (kernel == "gradient") gradient_warp(a, i);
    }
    for (int i = 0; i < x && full == "wide_gradient"; ++i)
        wide_gradient_block(a, i, reinterpret_cast<float*>(memory.data()));
    const std::string size = full.substr(full.find('_') + 1);
    if (size == "short") tiles<4, false>(kernel, x, y, memory, a);
    if (size == "one") tiles<8, false>(kernel, x, y, memory, a);
    if (size == "long") tiles<16, false>(kernel, x, y, memory, a);
    if (size == "many") tiles<8, true>(kernel, x, y, memory, a);
    if (full == "finish_2") finish<2>(x, threads, memory, a);
    if (full == "finish_4") finish<4>(x, threads, memory, a);
    if (full == "finish_8") finish<8>(x, threads, memory, a);
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
    const std::string size = name.substr(name.find('_') + 1);
    const unsigned most = size == "short" || size == "one" || size == "long" ? 32 : size == "scores" ? 128
                        : size == "prepare" || size == "gradient" ? 256 : 512;  // __launch_bounds__
    if (!x || !y || z != 1 || ty != 1 || tz != 1 || threads > most || threads % 32 || extra) return 1;
    if (shared > unsigned(granted) || stream != reinterpret_cast<void*>(7)) return 2;
    launch(name.c_str(), int(x), int(y), int(threads), int(shared), static_cast<const Args*>(parameters[0]), 0);
    return 0;
}
}
