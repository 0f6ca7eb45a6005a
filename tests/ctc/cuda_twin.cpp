// Runs the kernels of ctcasr/ctc/cuda on the host: the same phases.cuh, with the blocks, warps and lanes in loops.
#include <string>

#include "phases.cuh"

template <int Q> static void per_lane(const std::string& kernel, int x, int y, int shared, const Args& a) {
    std::vector<float> m(shared / 8);
    std::vector<int> e(shared / 8);
    for (int j = 0; j < y; ++j)
        for (int i = 0; i < x; ++i) {
            if (kernel == "chains") chain_block<Q>(a, i, j);
            if (kernel == "finish") finish_warp<Q>(a, i);
            if (kernel == "occupancies") occupancy_block<Q>(a, i / (a.slots - 1), i % (a.slots - 1), m.data(), e.data());
        }
}

extern "C" int args_size() { return sizeof(Args); }

extern "C" void launch(const char* name, int x, int y, int threads, int shared, const Args* args, int reversed) {
    const Args& a = *args;
    const std::string full(name), kernel = full.substr(0, full.find('_'));
    reverse_warps = reversed;
    const long long frames = (long long)a.batch * a.frames;
    if (kernel == "prepare")
        for (int row = 0; row < x; ++row) prepare_block(a, row);
    else if (kernel == "emissions" || kernel == "gradient")
        for (long long i = 0; i < (long long)x * (threads / 32) && i < frames; ++i)
            (kernel == "emissions" ? emission_warp : gradient_warp)(a, int(i / a.frames), int(i % a.frames));
    else if (full.back() == '2')
        per_lane<2>(kernel, x, y, shared, a);
    else if (full.back() == '4')
        per_lane<4>(kernel, x, y, shared, a);
    else
        per_lane<8>(kernel, x, y, shared, a);
}
