// The CTC kernels without Python, for a profiler or a sanitizer, and to time each of them.
//
//     nvcc -std=c++17 --fmad=false -O3 -lineinfo -I ctcasr/ctc/cuda tools/bench/device_day.cu -o day
//     day check          small ragged batches, every width of a lane (under compute-sanitizer)
//     day time           microseconds of each kernel, medians, for the shapes of the benchmark
//     day one B T C S    one batch, once (under ncu)
//
// Buffers, grids and the order of the kernels are those of ctcasr/ctc/cuda/geometry.py.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels.cu"

#define OK(call)                                                                              \
    do {                                                                                      \
        const cudaError_t error = (call);                                                     \
        if (error != cudaSuccess) {                                                           \
            std::printf("FAILED line %d: %s: %s\n", __LINE__, #call, cudaGetErrorString(error)); \
            std::exit(1);                                                                     \
        }                                                                                     \
    } while (0)

constexpr int LANES = 32;
constexpr int SHARED_STATES = 8192;
constexpr int BYTES_OF_A_STATE = 8;
constexpr int FRAMES_PER_BLOCK = 8;
constexpr int BLOCK_THREADS = LANES * FRAMES_PER_BLOCK;
constexpr int REPEATS = 15;
constexpr size_t RANDOM_NUMBERS = 1000003;  // more logits repeat them
constexpr double TOLERANCE = 1e-4;

enum Kernel { PREPARE, EMISSIONS, CHAINS, FINISH, OCCUPANCIES, GRADIENT, KERNELS };
const char* const NAMES[] = {"prepare", "emissions", "chains", "finish", "occupancies", "gradient"};

struct Batch {
    int batch, frames, classes, longest;
    int per_lane, line;  // states of a lane, and of a row with padding
    std::vector<void*> memory;
    std::vector<size_t> sizes;
    size_t inputs = 0;  // so many of them are read only
    Args args{};

    Batch(int b, int t, int c, int s, bool ragged) : batch(b), frames(t), classes(c), longest(s) {
        cut();
        fill_inputs(ragged);
        inputs = memory.size();
        allocate_outputs();
        poison();
    }

    ~Batch() {
        for (void* at : memory) cudaFree(at);
    }

    template <class T> T* room(size_t count) {
        void* at = nullptr;
        const size_t bytes = std::max<size_t>(count * sizeof(T), 8);
        OK(cudaMalloc(&at, bytes));
        memory.push_back(at);
        sizes.push_back(bytes);
        return static_cast<T*>(at);
    }

    template <class T> T* copied(const std::vector<T>& values) {
        T* at = room<T>(values.size());
        OK(cudaMemcpy(at, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
        return at;
    }

    // The properties of KernelGeometry.
    void cut() {
        const int states = 2 * longest + 1;
        per_lane = states <= 256 ? 2 : states <= 2048 ? 4 : 8;
        args.warps = (states + LANES * per_lane - 1) / (LANES * per_lane);
        line = LANES * per_lane * args.warps;
        args.keep = 1;
        while (2 * args.keep <= std::min(SHARED_STATES / line, 32)) args.keep *= 2;
        args.slots = (frames + args.keep - 1) / args.keep + 1;
        args.width = std::min(classes, longest + 1);
        args.batch = batch;
        args.frames = frames;
        args.classes = classes;
        args.longest = longest;
        args.blank = 0;
        args.normalize = 1;
        args.dtype = FLOAT32;
        args.stride_b = (long long)frames * classes;
        args.stride_t = classes;
    }

    void fill_inputs(bool ragged) {
        std::mt19937 random(batch + frames + classes + longest);
        std::normal_distribution<float> normal;
        std::vector<float> logits(size_t(batch) * frames * classes);
        for (size_t i = 0; i < logits.size(); ++i)
            logits[i] = i < RANDOM_NUMBERS ? normal(random) : logits[i - RANDOM_NUMBERS];
        std::vector<long long> lengths(3 * batch), targets;
        for (int row = 0; row < batch; ++row) {
            const bool full = !ragged || row == 0;
            lengths[row] = full ? frames : random() % (frames + 1);
            lengths[batch + row] = full ? longest : random() % (longest + 1);
            lengths[2 * batch + row] = targets.size();
            for (int u = 0; u < lengths[batch + row]; ++u)
                targets.push_back(1 + random() % (classes - 1));
        }
        args.logits = copied(logits);
        args.lengths = copied(lengths);
        args.targets = copied(targets);
    }

    void allocate_outputs() {
        const size_t rows = batch, all_frames = rows * frames;
        args.grad = room<float>(all_frames * classes);
        args.nll = room<float>(rows);
        args.health = room<float>(rows);
        args.status = room<int>(rows);
        args.table = room<int>(rows * (2 * args.width + 3 * longest + 3));
        args.emissions = room<Pair>(all_frames * args.width);
        args.norms = room<Pair>(all_frames);
        args.edges = room<Pair>(2 * all_frames * args.warps);
        args.checkpoints = room<Pair>(2 * rows * args.slots * line);
    }

    // NaN and -1 everywhere: what is read before it is written shows.
    void poison() {
        for (size_t i = inputs; i < memory.size(); ++i) OK(cudaMemset(memory[i], 0xff, sizes[i]));
    }

    void launch(int kernel) {
        const int frame_blocks = (batch * frames + FRAMES_PER_BLOCK - 1) / FRAMES_PER_BLOCK;
        if (kernel == PREPARE) prepare<<<batch, BLOCK_THREADS>>>(args);
        if (kernel == EMISSIONS) emissions<<<frame_blocks, BLOCK_THREADS>>>(args);
        if (kernel == GRADIENT) gradient<<<frame_blocks, BLOCK_THREADS>>>(args);
        if (per_lane == 2) launch_rows(kernel, chains_2, finish_2, occupancies_2);
        if (per_lane == 4) launch_rows(kernel, chains_4, finish_4, occupancies_4);
        if (per_lane == 8) launch_rows(kernel, chains_8, finish_8, occupancies_8);
        OK(cudaGetLastError());
    }

    template <class F> void launch_rows(int kernel, F chains, F finish, F occupancies) {
        const int threads = LANES * args.warps;
        if (kernel == CHAINS) chains<<<dim3(batch, 2), threads>>>(args);
        if (kernel == FINISH) finish<<<batch, LANES>>>(args);
        if (kernel == OCCUPANCIES) {
            const auto most = cudaFuncAttributeMaxDynamicSharedMemorySize;
            OK(cudaFuncSetAttribute(occupancies, most, BYTES_OF_A_STATE * SHARED_STATES));
            const int shared = BYTES_OF_A_STATE * args.keep * line;
            occupancies<<<batch * (args.slots - 1), threads, shared>>>(args);
        }
    }

    void run() {
        for (int kernel = 0; kernel < KERNELS; ++kernel) launch(kernel);
    }

    template <class T> std::vector<T> fetched(const void* from, size_t count) const {
        std::vector<T> values(count);
        OK(cudaMemcpy(values.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost));
        return values;
    }

    // Every element written, gradients of a frame sum to zero, healthy rows.
    bool sound() const {
        const auto grad = fetched<float>(args.grad, size_t(batch) * frames * classes);
        const auto nll = fetched<float>(args.nll, batch);
        const auto health = fetched<float>(args.health, batch);
        double worst_sum = 0, worst_health = 0;
        bool fine = true;
        for (size_t frame = 0; frame < size_t(batch) * frames; ++frame) {
            double sum = 0;
            for (int c = 0; c < classes; ++c) {
                const float slope = grad[frame * classes + c];
                fine &= std::isfinite(slope) && std::fabs(slope) <= 1.0f;
                sum += slope;
            }
            worst_sum = std::max(worst_sum, std::fabs(sum));
        }
        for (int row = 0; row < batch; ++row) {
            fine &= !std::isnan(nll[row]) && health[row] < TOLERANCE;
            worst_health = std::max(worst_health, double(health[row]));
        }
        fine &= worst_sum < TOLERANCE;
        std::printf("loss of row 0 %.6g, sums within %.1e, health %.1e: %s\n", nll[0], worst_sum,
                    worst_health, fine ? "sound" : "WRONG");
        return fine;
    }
};

// Median microseconds of one kernel in its place among the others; of all of them for KERNELS.
float median_us(Batch& batch, int kernel) {
    cudaEvent_t start, end;
    OK(cudaEventCreate(&start));
    OK(cudaEventCreate(&end));
    std::vector<float> times;
    for (int i = 0; i < REPEATS; ++i) {
        for (int before = 0; kernel < KERNELS && before < kernel; ++before) batch.launch(before);
        OK(cudaEventRecord(start));
        kernel < KERNELS ? batch.launch(kernel) : batch.run();
        OK(cudaEventRecord(end));
        for (int after = kernel + 1; after < KERNELS; ++after) batch.launch(after);
        OK(cudaDeviceSynchronize());
        float ms = 0;
        OK(cudaEventElapsedTime(&ms, start, end));
        times.push_back(1e3f * ms);
    }
    std::sort(times.begin(), times.end());
    return times[REPEATS / 2];
}

int check() {
    bool fine = true;
    const std::array<int, 3> shapes[] = {{1, 2, 1},     {37, 5, 12},     {70, 38, 40},
                                         {300, 9, 130}, {260, 300, 127}, {1100, 40, 1024}};
    for (const auto& [frames, classes, labels] : shapes) {
        Batch batch(3, frames, classes, labels, true);
        batch.run();
        OK(cudaDeviceSynchronize());
        std::printf("T %d C %d S %d: ", frames, classes, labels);
        fine &= batch.sound();
    }
    return !fine;
}

int time_all() {
    std::printf("%-24s", "us, medians");
    for (const char* name : NAMES) std::printf("%12s", name);
    std::printf("%12s\n", "all");
    const std::array<int, 4> shapes[] = {{32, 400, 38, 60},
                                         {64, 1000, 38, 200},
                                         {32, 1500, 500, 100},
                                         {16, 2000, 5000, 200},
                                         {128, 1600, 38, 250}};
    bool fine = true;
    for (const auto& [rows, frames, classes, labels] : shapes) {
        Batch batch(rows, frames, classes, labels, false);
        for (int warm_up = 0; warm_up < 3; ++warm_up) batch.run();
        OK(cudaDeviceSynchronize());
        char name[64];
        std::snprintf(name, sizeof name, "(%d, %d, %d, %d)", rows, frames, classes, labels);
        std::printf("%-24s", name);
        for (int kernel = 0; kernel <= KERNELS; ++kernel)
            std::printf("%12.1f", median_us(batch, kernel));
        std::printf("   ");
        std::fflush(stdout);
        fine &= batch.sound();
    }
    return !fine;
}

int main(int count, char** words) {
    const std::string what = count > 1 ? words[1] : "time";
    if (what == "check") return check();
    if (what == "time") return time_all();
    if (what != "one" || count != 6) {
        std::printf("day check | time | one B T C S\n");
        return 2;
    }
    Batch batch(std::atoi(words[2]), std::atoi(words[3]), std::atoi(words[4]),
                std::atoi(words[5]), false);
    batch.run();
    OK(cudaDeviceSynchronize());
    return !batch.sound();
}
