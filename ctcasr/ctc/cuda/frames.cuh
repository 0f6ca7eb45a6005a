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
