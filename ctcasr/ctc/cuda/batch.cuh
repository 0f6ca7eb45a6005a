// The batch as the kernels see it. Their order: prepare (per row), emissions (per frame), chains (per row and
// direction), finish (per row), and for the gradient occupancies (per row and segment of frames) and gradient (frame).
#pragma once
#include "lattice.cuh"

struct Args {                           // mirrored field by field by plan.py; `keep` is a power of two
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
    int batch, frames, classes, blank, longest, width, warps, keep, slots, normalize, dtype, unused;
};

enum Status { FINE, BAD_LABEL, NOT_FINITE, NO_PATH };
enum Dtype { FLOAT32, FLOAT16, BFLOAT16 };

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

CODE Row view(const Args& a, int row, bool backward) {
    return {int(a.lengths[row]), int(a.lengths[a.batch + row]), Table(a, row).index,
            a.emissions + (long long)row * a.frames * a.width, a.width, backward};
}
