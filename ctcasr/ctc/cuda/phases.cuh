// What each kernel does, block by block, over the recursion of lattice.cuh. The order of the kernels:
// prepare (per row), emissions (per frame), chains (per row and direction), finish (per row), and for the gradient
// occupancies (per row and segment of frames) and gradient (per frame).
#pragma once
#include "lattice.cuh"

struct Args {                           // mirrored field by field by plan.py
    const void* logits;                 // [B, T, C] with strides, in `dtype`
    void* grad;                         // [B, T, C] contiguous, or null
    const long long* lengths;           // [3, B] frames, labels, start in `targets`: checked on the host
    const long long* targets;           // row after row
    const double* prior;                // [C] less its smallest value, or null
    float* nll;                         // [B]
    float* health;                      // [B]
    int* status;                        // [B] one of Status
    int* table;                         // [B, table_size] see Table
    Pair* emissions;                    // [B, T, width]; the gradient replaces them by occupancies
    Pair* norms;                        // [B, T] largest logit, bits of the log of the sum beside it
    Pair* edges;                        // [B, 2, T, warps]
    Pair* checkpoints;                  // [B, 2, slots, Q, 32 * warps]
    double prior_floor;                 // the smallest value of the prior
    long long stride_b, stride_t;       // of the logits, in elements
    int batch, frames, classes, blank, longest, width, warps, keep, slots, normalize, dtype, unused;  // keep: a power of two
};

enum Status { FINE, BAD_LABEL, NOT_FINITE, NO_PATH };
enum Dtype { FLOAT32, FLOAT16, BFLOAT16 };

constexpr int LAG = 8;                  // frames by which a warp of a chain stays behind the warp before it
#define INFINITE as_float(0x7f800000)
constexpr double LN2 = 0.693147180559945309417;
constexpr float LOG2E = 1.44269504088896341f;

struct Table {                          // one row of Args::table
    int* distinct;                      // number of emission columns: the blank and each different label
    int* repeats;                       // adjacent equal labels
    int* classes;                       // [width] class of each column
    int* starts;                        // [width + 1] where a column's run begins in `order`
    int* order;                         // [longest] positions of the labels, sorted by label: the order of all sums
    int* index;                         // [longest] column of each position
    int* first;                         // [longest] whether this position is the first of its label
    CODE Table(const Args& a, int row) {
        distinct = a.table + (long long)row * (2 * a.width + 3 * a.longest + 3);
        repeats = distinct + 1;
        classes = distinct + 2;
        starts = classes + a.width;
        order = starts + a.width + 1;
        index = order + a.longest;
        first = index + a.longest;
    }
};

template <int DTYPE> CODE float load(const void* from, long long at) {
    if (DTYPE == FLOAT32) return static_cast<const float*>(from)[at];
    const unsigned short bits = static_cast<const unsigned short*>(from)[at];
    return DTYPE == FLOAT16 ? half_to_float(bits) : as_float(int(bits) << 16);
}

template <int DTYPE> CODE void store(void* to, long long at, float value) {
    if (DTYPE == FLOAT32) {
        static_cast<float*>(to)[at] = value;
    } else {
        const int bits = as_int(value);
        const unsigned short rounded = (unsigned(bits) + 0x7fff + ((bits >> 16) & 1)) >> 16;
        const unsigned short brain = value != value ? 0x7fc0 : rounded;
        static_cast<unsigned short*>(to)[at] = DTYPE == FLOAT16 ? float_to_half(value) : brain;
    }
}

CODE Row view(const Args& a, int row, bool backward) {
    return {int(a.lengths[row]), int(a.lengths[a.batch + row]), Table(a, row).index,
            a.emissions + (long long)row * a.frames * a.width, a.width, backward};
}

CODE Pair* checkpoint(const Args& a, int q, int row, int direction, int slot) {
    return a.checkpoints + ((long long)(row * 2 + direction) * a.slots + slot) * (q * 32 * a.warps);
}

// Probability of the whole row: the last two states of a finished chain.
template <int Q> CODE Pair total(const Args& a, const Row& row, int index) {
    const int slot = row.backward ? 0 : (row.frames + a.keep - 1) / a.keep;
    const Pair* line = checkpoint(a, Q, index, row.backward, slot);
    const int stride = 32 * a.warps, last = row.states() - 1;
    const Pair end = line[last % Q * stride + last / Q];
    if (last == 0) return end;
    return emit(add(end, line[(last - 1) % Q * stride + (last - 1) / Q]), {1.0f, 0});
}

CODE void prepare_block(const Args& a, int row) {
    const int frames = int(a.lengths[row]), labels = int(a.lengths[a.batch + row]);
    const Table table(a, row);
    const long long* targets = a.targets + a.lengths[2 * a.batch + row];
    if (THREAD_INDEX == 0) {
        a.status[row] = FINE;
        *table.repeats = 0;
        *table.distinct = 1;
        table.classes[0] = a.blank;
        table.starts[0] = table.starts[1] = 0;
    }
    BARRIER();
    for (int u = THREAD_INDEX; u < labels; u += THREAD_COUNT) {
        const long long label = targets[u];
        if (label < 0 || label >= a.classes || label == a.blank) a.status[row] = BAD_LABEL;
        if (u > 0 && targets[u - 1] == label) add_atomic(table.repeats, 1);
        int first = 1;
        for (int i = 0; i < u; ++i) first &= targets[i] != label;
        table.first[u] = first;
        if (first) add_atomic(table.distinct, 1);
    }
    BARRIER();
    if (a.status[row] == BAD_LABEL) return;
    for (int u = THREAD_INDEX; u < labels; u += THREAD_COUNT) {
        const long long label = targets[u];
        int column = 1, rank = 0;
        for (int i = 0; i < labels; ++i) {
            column += targets[i] < label && table.first[i];
            rank += targets[i] < label || (targets[i] == label && i < u);
        }
        table.index[u] = column;
        table.order[rank] = u;
        if (table.first[u]) {
            table.starts[column] = rank;
            table.classes[column] = int(label);
        }
    }
    if (THREAD_INDEX == 0) {
        table.starts[*table.distinct] = labels;
        if (frames < labels + *table.repeats) a.status[row] = NO_PATH;
    }
}

template <int DTYPE> CODE void emission_warp(const Args& a, int row, int t) {
    if (a.status[row] == BAD_LABEL || a.status[row] == NO_PATH || t >= a.lengths[row]) return;
    const long long base = row * a.stride_b + t * a.stride_t;
    Reg<float> tops, sums;
    EACH_LANE(lane) {                   // largest logit and sum of exponentials in one pass
        float top = -INFINITE, sum = 0.0f;
        for (int c = lane; c < a.classes; c += 128) {
            float x[4], most = -INFINITE;
            UNROLL for (int i = 0; i < 4; ++i) {
                x[i] = c + 32 * i < a.classes ? load<DTYPE>(a.logits, base + c + 32 * i) : -INFINITE;
                most = fmaxf(most, x[i]);
            }
            if (most > top) {
                sum *= exp2_fast((top - most) * LOG2E);
                top = most;
            }
            const float level = top == -INFINITE ? 0.0f : top;
            UNROLL for (int i = 0; i < 4; ++i) sum += exp2_fast((x[i] - level) * LOG2E);
        }
        tops[lane] = top;
        sums[lane] = sum;
    }
    const float most = max_all(tops), level = most == -INFINITE ? 0.0f : most;
    EACH_LANE(lane) sums[lane] *= exp2_fast((tops[lane] - level) * LOG2E);
    const float sum = sum_all(sums);
    const bool fine = sum < INFINITE && (sum > 0.0f || !a.normalize);
    const double width = a.normalize && fine ? log(double(sum)) : 0.0;
    const Table table(a, row);
    const long long frame = (long long)row * a.frames + t;
    EACH_LANE(lane) {
        if (lane == 0) {
            if (!fine) a.status[row] = NOT_FINITE;
            a.norms[frame] = {level, as_int(float(width))};
        }
        for (int j = lane; j < *table.distinct; j += 32) {
            const int c = table.classes[j];
            const double score = double(load<DTYPE>(a.logits, base + c)) - level - width;
            a.emissions[frame * a.width + j] = emission((score - (a.prior ? a.prior[c] : 0.0)) * (1.0 / LN2));
        }
    }
}

// One direction of one row over all frames. Warps run the same chunk of frames one after the other (a wavefront), so
// that the edge of the warp before is always there and a barrier is due every LAG frames only.
template <int Q> CODE void chain_block(const Args& a, int index, int direction) {
    const Row row = view(a, index, direction);
    if (a.status[index] != FINE || row.frames == 0) return;
    const int warps = (row.states() + 32 * Q - 1) / (32 * Q), chunks = (row.frames + LAG - 1) / LAG;
    Pair* edges = a.edges + (long long)(2 * index + direction) * a.frames * a.warps;
    PerWarp<Walk<Q>> walks;
    EACH_WARP(warp, warps) {
        walks[warp].place(row, warp);
        walks[warp].fetch(0);
    }
    for (int phase = 0; phase < chunks + warps - 1; ++phase) {
        EACH_WARP(warp, warps) {
            const int first = (phase - warp) * LAG;
            if (first >= 0 && first < row.frames) {
                Walk<Q>& walk = walks[warp];
                walk.run(first, min(first + LAG, row.frames), edges + warp - 1, a.warps, [](int) {}, [&](int step) {
                    const Reg<Pair>& border = walk.state[Q - 1];
                    EACH_LANE(lane) if (lane == 31) edges[step * a.warps + warp] = border[lane];
                    const int t = row.frame(step), before = direction ? t : t + 1;
                    if (!(before & (a.keep - 1)) || step == row.frames - 1)
                        walk.store(checkpoint(a, Q, index, direction, (before + a.keep - 1) / a.keep), 32 * a.warps);
                });
            }
        }
        BARRIER();
    }
}

template <int Q> CODE void finish_warp(const Args& a, int index) {
    const Row forward = view(a, index, false), backward = view(a, index, true);
    float nll = 0.0f, health = 0.0f;
    int status = a.status[index];
    if (status == FINE && forward.frames > 0) {
        const Pair z = total<Q>(a, forward, index), y = total<Q>(a, backward, index);
        Reg<double> levels;             // what normalize=False left out of the emissions
        EACH_LANE(lane) {
            levels[lane] = 0.0;
            if (!a.normalize)
                for (int t = lane; t < forward.frames; t += 32)
                    levels[lane] += a.norms[(long long)index * a.frames + t].m;
        }
        const double level = sum_all(levels) - forward.frames * a.prior_floor;
        nll = float(-(log2(double(z.m)) + z.e) * LN2 - level);
        health = fabs(y.m / z.m * power_of_two(min(y.e - z.e, 127)) - 1.0f);
        if (z.e < HOPELESS) status = NO_PATH;
    }
    if (status == NO_PATH) nll = INFINITE;
    if (status == BAD_LABEL || status == NOT_FINITE) nll = as_float(0x7fc00000);
    EACH_LANE(lane) if (lane == 0) {
        a.nll[index] = nll;
        a.health[index] = status == FINE ? health : 0.0f;
        a.status[index] = status;
    }
}

// Occupancies of `keep` frames, from the checkpoints on both sides: alpha again, then beta against it, then each
// frame divided by its own sum, class by class in sorted order. m, e: [keep, Q, 32 * warps] in shared memory.
template <int Q> CODE void occupancy_block(const Args& a, int index, int segment, float* m, int* e) {
    const Row forward = view(a, index, false), backward = view(a, index, true);
    const int begin = segment * a.keep, end = min(begin + a.keep, forward.frames), frames = forward.frames;
    if (a.status[index] != FINE || begin >= frames) return;
    const int states = forward.states(), warps = (states + 32 * Q - 1) / (32 * Q), stride = 32 * a.warps;
    const Pair z = total<Q>(a, forward, index);
    const Pair* edges = a.edges + (long long)(2 * index) * a.frames * a.warps - 1;
    const long long side = (long long)a.frames * a.warps;
    EACH_WARP(warp, warps) {
        Walk<Q> walk;
        walk.place(forward, warp);
        if (begin > 0) walk.load(checkpoint(a, Q, index, 0, segment), stride);
        walk.end = end;
        walk.fetch(begin);
        walk.run(begin, end, edges + warp, a.warps, [](int) {}, [&](int t) {
            EACH_LANE(lane) UNROLL for (int q = 0; q < Q; ++q) {
                const int at = ((t - begin) * Q + q) * stride + warp * 32 + lane;
                m[at] = walk.state[q][lane].m;
                e[at] = walk.state[q][lane].e;
            }
        });
    }
    BARRIER();
    EACH_WARP(warp, warps) {
        Walk<Q> walk;
        walk.place(backward, warp);
        if (end < frames) walk.load(checkpoint(a, Q, index, 1, segment + 1), stride);
        walk.end = frames - begin;
        walk.fetch(frames - end);
        walk.run(frames - end, frames - begin, edges + side + warp, a.warps, [&](int step) {
            const int t = frames - 1 - step;
            EACH_LANE(lane) UNROLL for (int q = 0; q < Q; ++q) {
                const int s = states - 1 - ((warp * 32 + lane) * Q + q);
                if (s >= 0) {
                    const int at = ((t - begin) * Q + s % Q) * stride + s / Q;
                    const Pair beta = walk.state[q][lane];
                    m[at] *= beta.m * power_of_two(min(e[at] - z.e + beta.e, 100));
                }
            }
        }, [](int) {});
    }
    BARRIER();
    const Table table(a, index);
    EACH_WARP(warp, a.warps) {
        for (int t = begin + warp; t < end; t += a.warps) {
            const float* gamma = m + (t - begin) * Q * stride;
            Reg<float> blanks, others;
            EACH_LANE(lane) {
                blanks[lane] = others[lane] = 0.0f;
                for (int place = lane; place * Q < states; place += 32)
                    UNROLL for (int q = 0; q < Q; ++q)
                        if (place * Q + q < states) (q & 1 ? others : blanks)[lane] += gamma[q * stride + place];
            }
            const float blank = sum_all(blanks), sum = blank + sum_all(others);
            Pair* line = a.emissions + ((long long)index * a.frames + t) * a.width;
            EACH_LANE(lane) {
                if (lane == 0) {
                    line[0].m = blank / sum;
                    max_atomic(reinterpret_cast<int*>(a.health + index), as_int(float(fabs(sum / z.m - 1.0f))));
                }
                for (int j = 1 + lane; j < *table.distinct; j += 32) {
                    float part = 0.0f;
                    for (int i = table.starts[j]; i < table.starts[j + 1]; ++i) {
                        const int s = 2 * table.order[i] + 1;
                        part += gamma[s % Q * stride + s / Q];
                    }
                    line[j].m = part / sum;
                }
            }
        }
    }
}

template <int DTYPE> CODE void gradient_warp(const Args& a, int row, int t) {
    const long long base = row * a.stride_b + t * a.stride_t, frame = (long long)row * a.frames + t;
    const long long out = frame * a.classes;
    const int status = a.status[row];
    if (t >= a.lengths[row] || status != FINE) {
        const float fill = status == NOT_FINITE && t < a.lengths[row] ? as_float(0x7fc00000) : 0.0f;
        EACH_LANE(lane) for (int c = lane; c < a.classes; c += 32) store<DTYPE>(a.grad, out + c, fill);
        return;
    }
    const float level = a.norms[frame].m, width = as_float(a.norms[frame].e);
    EACH_LANE(lane) for (int c = lane; c < a.classes; c += 128) {
        float x[4];                     // all loads before the first store, which might overwrite what follows
        UNROLL for (int i = 0; i < 4; ++i)
            x[i] = a.normalize && c + 32 * i < a.classes ? load<DTYPE>(a.logits, base + c + 32 * i) : -INFINITE;
        UNROLL for (int i = 0; i < 4; ++i)
            if (c + 32 * i < a.classes)
                store<DTYPE>(a.grad, out + c + 32 * i, exp2_fast((x[i] - level - width) * LOG2E));
    }
    WARP_BARRIER();                     // the classes of the row are written again, less their occupancy
    const Table table(a, row);
    EACH_LANE(lane) for (int j = lane; j < *table.distinct; j += 32) {
        const int c = table.classes[j];
        const float x = a.normalize ? load<DTYPE>(a.logits, base + c) - level - width : -INFINITE;
        store<DTYPE>(a.grad, out + c, exp2_fast(x * LOG2E) - a.emissions[frame * a.width + j].m);
    }
}

template <int DTYPE> CODE void frame_warp(const Args& a, bool backward, int row, int t) {
    backward ? gradient_warp<DTYPE>(a, row, t) : emission_warp<DTYPE>(a, row, t);
}

CODE void frame_warp(const Args& a, bool backward, long long frame) {
    if (frame >= (long long)a.batch * a.frames) return;
    const int row = int(frame / a.frames), t = int(frame % a.frames);
    if (a.dtype == FLOAT32) frame_warp<FLOAT32>(a, backward, row, t);
    if (a.dtype == FLOAT16) frame_warp<FLOAT16>(a, backward, row, t);
    if (a.dtype == BFLOAT16) frame_warp<BFLOAT16>(a, backward, row, t);
}
