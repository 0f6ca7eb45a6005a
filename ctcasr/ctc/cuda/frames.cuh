// What is done before and after the recursion: tables of the rows, emissions of the frames, gradient of the frames.
#pragma once
#include "batch.cuh"

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

// Whether four neighbouring classes are one load: the logits' rows begin at multiples of 16 bytes.
CODE bool in_fours(const Args& a) {
    const bool aligned = reinterpret_cast<unsigned long long>(a.logits) % 16 == 0;
    return a.dtype == FLOAT32 && aligned && (a.classes | a.stride_b | a.stride_t) % 4 == 0;
}

// Classes c to c + 3 of the frame that begins at `base`; minus infinity beyond the last.
template <int DTYPE> CODE void load_classes(const Args& a, long long base, int c, bool fours, float (&x)[4]) {
    if (DTYPE == FLOAT32 && fours) {
        load_four(static_cast<const float*>(a.logits) + base + c, x);
    } else {
        UNROLL for (int k = 0; k < 4; ++k) x[k] = c + k < a.classes ? load<DTYPE>(a.logits, base + c + k) : -INFINITE;
    }
}

// labels: [longest] in shared memory.
CODE void prepare_block(const Args& a, int row, int* labels) {
    const int frames = int(a.lengths[row]), count = int(a.lengths[a.batch + row]);
    const Table table(a, row);
    const long long* targets = a.targets + a.lengths[2 * a.batch + row];
    const bool dense = is_dense(a);
    if (THREAD_INDEX == 0) {
        a.status[row] = FINE;
        a.health[row] = 0.0f;
        *table.repeats = 0;
        *table.distinct = dense ? a.classes : 1;
        table.classes[0] = a.blank;
    }
    BARRIER();
    for (int u = THREAD_INDEX; u < count; u += THREAD_COUNT) {
        const long long label = targets[u];
        if (label < 0 || label >= a.classes || label == a.blank) a.status[row] = BAD_LABEL;
        labels[u] = int(label);
    }
    BARRIER();
    if (a.status[row] == BAD_LABEL) return;
    for (int u = THREAD_INDEX; u < count; u += THREAD_COUNT) {
        if (u > 0 && labels[u - 1] == labels[u]) add_atomic(table.repeats, 1);
        if (dense) {
            table.index[u] = column_of(a, labels[u]);
            continue;
        }
        int first = 1;
        for (int i = 0; i < u; ++i) first &= labels[i] != labels[u];
        table.first[u] = first;
        if (first) add_atomic(table.distinct, 1);
    }
    if (dense)
        for (int j = 1 + THREAD_INDEX; j < a.classes; j += THREAD_COUNT) table.classes[j] = j <= a.blank ? j - 1 : j;
    BARRIER();
    if (!dense)
        for (int u = THREAD_INDEX; u < count; u += THREAD_COUNT) {
            int column = 1;
            for (int i = 0; i < count; ++i) column += labels[i] < labels[u] && table.first[i];
            table.index[u] = column;
            if (table.first[u]) table.classes[column] = labels[u];
        }
    if (THREAD_INDEX == 0 && frames < count + *table.repeats) a.status[row] = NO_PATH;
}

// The positions of the labels sorted by column, and where each column's run begins.
CODE void sort_block(const Args& a, int row) {
    const int count = int(a.lengths[a.batch + row]);
    const Table table(a, row);
    for (int u = THREAD_INDEX; u < count; u += THREAD_COUNT) {
        const int column = table.index[u];
        int rank = 0;
        for (int i = 0; i < count; ++i) rank += table.index[i] < column || (table.index[i] == column && i < u);
        table.order[rank] = u;
    }
    for (int j = THREAD_INDEX; j <= *table.distinct; j += THREAD_COUNT) {
        int before = 0;
        for (int i = 0; i < count; ++i) before += table.index[i] < j;
        table.starts[j] = before;
    }
}

// 2^(x) of a score that is given as a sum of two floats, in units of e: rounded almost once. Below 2^-126 it does not
// fit: `fits` becomes false, unless it is the zero of a score of minus infinity.
CODE float probability(float high, float low, bool& fits) {
    constexpr float LOG2E_HIGH = 1.44269502162933349609375f, LOG2E_LOW = 1.92596299112661746887e-8f;
    if (!(high > -INFINITE)) return 0.0f;
    const float product = high * LOG2E_HIGH;
    const float rest = fmaf(high, LOG2E_HIGH, -product) + fmaf(high, LOG2E_LOW, low * LOG2E_HIGH);
    const float whole = rint(product);
    if (whole < -125.0f) {
        fits = false;
        return 0.0f;
    }
    return exp2_near_zero((product - whole) + rest) * power_of_two(int(whole));
}

// x - y exactly, as a rounded difference and the rest (Knuth).
CODE float difference(float x, float y, float& rest) {
    const float rounded = x - y, taken = rounded - x;
    rest = (x - (rounded - taken)) - (y + taken);
    return rounded;
}

// The probability of one class: score less level, log of the sum and prior, each known to more than a float.
template <int DTYPE>
CODE float probability_of(const Args& a, float x, int c, float level, float high, float low, bool& fits) {
    float first, second, third = 0.0f;
    const float score = difference(x, level, first);
    float normal = difference(score, high, second);
    if (a.prior) {
        const float prior = float(a.prior[c]);
        normal = difference(normal, prior, third);
        third -= float(a.prior[c] - double(prior));
    }
    return probability(normal, (first + second) + (third - low), fits);
}

constexpr int SHARERS = 32 / CHUNK;     // lanes that share a frame

// Norms and probabilities of one chunk of frames, where the columns are all of few classes: SHARERS lanes take a frame.
template <int DTYPE> CODE void small_score_warp(const Args& a, int row, int chunk) {
    const int frames = min(int(a.lengths[row]) - chunk * CHUNK, CHUNK);
    if (a.status[row] == BAD_LABEL || a.status[row] == NO_PATH || frames <= 0) return;
    const long long base = row * a.stride_b + (long long)chunk * CHUNK * a.stride_t;
    Reg<float> tops, sums;
    EACH_LANE(lane) {
        const long long from = base + min(lane % CHUNK, frames - 1) * a.stride_t;
        float top = -INFINITE, sum = 0.0f;
        for (int c = lane / CHUNK; c < a.classes; c += SHARERS) top = fmaxf(top, load<DTYPE>(a.logits, from + c));
        const float level = top == -INFINITE ? 0.0f : top;
        for (int c = lane / CHUNK; c < a.classes; c += SHARERS)
            sum += exp2_fast((load<DTYPE>(a.logits, from + c) - level) * LOG2E);
        tops[lane] = top;
        sums[lane] = sum;
    }
    Reg<float> most = tops;
    UNROLL for (int step = CHUNK; step < 32; step <<= 1) {
        const Reg<float> other = exchange(most, step);
        EACH_LANE(lane) most[lane] = fmaxf(most[lane], other[lane]);
    }
    EACH_LANE(lane) {
        if (most[lane] == -INFINITE) most[lane] = 0.0f;
        sums[lane] *= exp2_fast((tops[lane] - most[lane]) * LOG2E);
    }
    UNROLL for (int step = CHUNK; step < 32; step <<= 1) {
        const Reg<float> other = exchange(sums, step);
        EACH_LANE(lane) sums[lane] += other[lane];
    }
    float* line = cells_of(a, row, chunk);
    EACH_LANE(lane) {
        const int i = lane % CHUNK, t = chunk * CHUNK + i;
        const bool fine = sums[lane] < INFINITE && (sums[lane] > 0.0f || !a.normalize);
        const double width = a.normalize && fine ? log(double(sums[lane])) : 0.0;
        const float high = float(width), low = float(width - double(high));
        if (lane < frames) a.norms[(long long)row * a.frames + t] = {most[lane], as_int(high)};
        bool fits = true;
        const long long from = base + min(i, frames - 1) * a.stride_t;
        for (int c = lane / CHUNK; c < a.classes; c += SHARERS) {
            const float x = load<DTYPE>(a.logits, from + c);
            line[column_of(a, c) * CHUNK + i] = probability_of<DTYPE>(a, x, c, most[lane], high, low, fits);
        }
        if (!fine) max_atomic(a.status + row, NOT_FINITE);
        if (fine && !fits) max_atomic(a.status + row, FRAGILE);
    }
}

// Norms and probabilities of one chunk of frames.
template <int DTYPE> CODE void score_warp(const Args& a, int row, int chunk) {
    const int frames = min(int(a.lengths[row]) - chunk * CHUNK, CHUNK);
    if (a.status[row] == BAD_LABEL || a.status[row] == NO_PATH || frames <= 0) return;
    long long bases[CHUNK];             // frames beyond the end read the last one
    UNROLL for (int i = 0; i < CHUNK; ++i)
        bases[i] = row * a.stride_b + (long long)(chunk * CHUNK + min(i, frames - 1)) * a.stride_t;
    Reg<float> tops[CHUNK], sums[CHUNK];
    EACH_LANE(lane) {
        UNROLL for (int i = 0; i < CHUNK; ++i) {
            tops[i][lane] = -INFINITE;
            sums[i][lane] = 0.0f;
        }
        const bool fours = in_fours(a);
        for (int c = 4 * lane; c < a.classes; c += 128) {
            float x[CHUNK][4];
            UNROLL for (int i = 0; i < CHUNK; ++i) load_classes<DTYPE>(a, bases[i], c, fours, x[i]);
            UNROLL for (int i = 0; i < CHUNK; ++i) {
                const float most = fmaxf(fmaxf(x[i][0], x[i][1]), fmaxf(x[i][2], x[i][3]));
                const float top = fmaxf(tops[i][lane], most), level = top == -INFINITE ? 0.0f : top;
                float sum = sums[i][lane] * exp2_fast((tops[i][lane] - level) * LOG2E);
                UNROLL for (int k = 0; k < 4; ++k) sum += exp2_fast((x[i][k] - level) * LOG2E);
                sums[i][lane] = sum;
                tops[i][lane] = top;
            }
        }
    }
    float levels[CHUNK];
    Reg<float> mine;                    // sum of the frame that is the lane's own
    bool fine = true;
    UNROLL for (int i = 0; i < CHUNK; ++i) {
        const float most = max_all(tops[i]);
        levels[i] = most == -INFINITE ? 0.0f : most;
        EACH_LANE(lane) sums[i][lane] *= exp2_fast((tops[i][lane] - levels[i]) * LOG2E);
        const float sum = sum_all(sums[i]);
        fine = fine && sum < INFINITE && (sum > 0.0f || !a.normalize);
        EACH_LANE(lane) if (lane == i) mine[lane] = sum;
    }
    Reg<float> highs, lows;             // logs of the sums
    EACH_LANE(lane) {
        const double width = a.normalize && fine && lane < CHUNK ? log(double(mine[lane])) : 0.0;
        highs[lane] = float(width);
        lows[lane] = float(width - double(highs[lane]));
        if (lane < frames)
            a.norms[(long long)row * a.frames + chunk * CHUNK + lane] =
                {levels[lane < CHUNK ? lane : 0], as_int(highs[lane])};
        if (lane == 0 && !fine) max_atomic(a.status + row, NOT_FINITE);
    }
    const Table table(a, row);
    float* line = cells_of(a, row, chunk);
    float high[CHUNK], low[CHUNK];
    UNROLL for (int i = 0; i < CHUNK; ++i) {
        high[i] = broadcast(highs, i);
        low[i] = broadcast(lows, i);
    }
    bool fits = true;
    EACH_LANE(lane) for (int j = lane; j < *table.distinct; j += 32) {
        const int c = table.classes[j];
        float values[CHUNK];
        UNROLL for (int i = 0; i < CHUNK; ++i)
            values[i] = probability_of<DTYPE>(a, load<DTYPE>(a.logits, bases[i] + c), c, levels[i], high[i], low[i],
                                              fits);
        store_eight(line + j * CHUNK, values);
    }
    if (fine && !fits) max_atomic(a.status + row, FRAGILE);
}

template <int DTYPE> CODE void emission_warp(const Args& a, int row, int t) {
    if (t >= a.lengths[row]) return;
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
            const double seen = score - (a.prior ? a.prior[c] : 0.0);
            Scratch(a, row).emissions[(long long)t * a.width + j] = emission(seen * (1.0 / LN2));
        }
    }
}

template <int DTYPE> CODE void gradient_warp(const Args& a, int row, int t) {
    const long long base = row * a.stride_b + t * a.stride_t, frame = (long long)row * a.frames + t;
    const long long out = frame * a.classes;
    const int status = a.status[row];
    if (t >= a.lengths[row] || status != FINE) {
        const float fill = status == NOT_FINITE && t < a.lengths[row] ? NOT_A_NUMBER : 0.0f;
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
    const float* occupancies = cells_of(a, row, t / CHUNK) + t % CHUNK;
    EACH_LANE(lane) for (int j = lane; j < *table.distinct; j += 32) {
        const int c = table.classes[j];
        const float x = a.normalize ? load<DTYPE>(a.logits, base + c) - level - width : -INFINITE;
        store<DTYPE>(a.grad, out + c, exp2_fast(x * LOG2E) - occupancies[j * CHUNK]);
    }
}

// The gradient of one chunk of frames whose columns are few of many classes. taken: [classes] in shared memory, the
// occupancy of each class, which is zero but for the columns.
template <int DTYPE> CODE void wide_gradient_block(const Args& a, int row, int chunk, float* taken) {
    const int begin = chunk * CHUNK, length = int(a.lengths[row]), status = a.status[row];
    const Table table(a, row);
    const bool fours = in_fours(a);
    const int distinct = status == FINE ? *table.distinct : 0;
    const float* occupancies = cells_of(a, row, chunk);
    for (int c = THREAD_INDEX; c < a.classes; c += THREAD_COUNT) taken[c] = 0.0f;
    for (int i = 0; i < CHUNK && begin + i < a.frames; ++i) {
        const int t = begin + i;
        const long long base = row * a.stride_b + t * a.stride_t, frame = (long long)row * a.frames + t;
        const bool real = status == FINE && t < length;
        const float fill = status == NOT_FINITE && t < length ? NOT_A_NUMBER : 0.0f;
        const Pair norm = real ? a.norms[frame] : Pair{0.0f, 0};
        BARRIER();
        for (int j = THREAD_INDEX; real && j < distinct; j += THREAD_COUNT)
            taken[table.classes[j]] = occupancies[j * CHUNK + i];
        BARRIER();
        for (int c = 4 * THREAD_INDEX; c < a.classes; c += 4 * THREAD_COUNT) {
            float x[4];
            if (real && a.normalize) load_classes<DTYPE>(a, base, c, fours, x);
            UNROLL for (int k = 0; k < 4; ++k) {
                const float score = a.normalize ? x[k] - norm.m - as_float(norm.e) : -INFINITE;
                if (c + k < a.classes) x[k] = real ? exp2_fast(score * LOG2E) - taken[c + k] : fill;
            }
            const long long out = frame * a.classes + c;
            if (DTYPE == FLOAT32 && fours) {
                store_four(static_cast<float*>(a.grad) + out, x);
            } else {
                UNROLL for (int k = 0; k < 4; ++k) if (c + k < a.classes) store<DTYPE>(a.grad, out + k, x[k]);
            }
        }
    }
}

// Calls work<DTYPE>(a, ...) in the type of the logits.
#define IN_DTYPE(work, a, ...)                                       \
    do {                                                             \
        if ((a).dtype == FLOAT32) work<FLOAT32>(a, __VA_ARGS__);     \
        if ((a).dtype == FLOAT16) work<FLOAT16>(a, __VA_ARGS__);     \
        if ((a).dtype == BFLOAT16) work<BFLOAT16>(a, __VA_ARGS__);   \
    } while (false)

CODE void score_warp(const Args& a, long long index) {
    if (index >= (long long)a.batch * a.chunks) return;
    const int row = int(index / a.chunks), chunk = int(index % a.chunks);
    IN_DTYPE(score_warp, a, row, chunk);
}

CODE void small_score_warp(const Args& a, long long index) {
    if (index >= (long long)a.batch * a.chunks) return;
    IN_DTYPE(small_score_warp, a, int(index / a.chunks), int(index % a.chunks));
}

CALLED void emission_warp(const Args& a, int row, int t) { IN_DTYPE(emission_warp, a, row, t); }

CALLED void gradient_warp(const Args& a, int row, int t) { IN_DTYPE(gradient_warp, a, row, t); }

CODE void gradient_warp(const Args& a, long long frame) {
    const int row = int(frame / (a.chunks * CHUNK)), t = int(frame % (a.chunks * CHUNK));
    if (row < a.batch && t < a.frames) gradient_warp(a, row, t);
}

CODE void wide_gradient_block(const Args& a, int index, float* taken) {
    IN_DTYPE(wide_gradient_block, a, index / a.chunks, index % a.chunks, taken);
}
