// The batch as the kernels see it. Their order: prepare (per row), scores (per chunk of frames), sweeps (per row and
// direction), segments (per chunk: occupancies), finish (per row: the loss, and rows whose numbers did not fit),
// gradient (per chunk).
#pragma once
#include "lattice.cuh"

struct Args {                           // mirrored field by field by geometry.py; `keep` is a power of two
    const void* logits;                 // [B, T, C] with strides, in `dtype`
    void* grad;                         // [B, T, C] contiguous, or null
    const long long* lengths;           // [3, B] frames, labels, start in `targets`: checked on the host
    const long long* targets;           // row after row
    const double* prior;                // [C + 1] less its smallest value, and that value; or null
    float* nll;                         // [B]
    float* health;                      // [B]
    int* status;                        // [B] one of Status
    int* table;                         // [B, table_size] see Table
    float* probabilities;               // [B, chunks, width, CHUNK]; then the occupancies
    Pair* norms;                        // [B, T] largest logit, bits of the log of the sum beside it
    Pair* totals;                       // [B] probability of the row, from the backward sweep
    char* scratch;                      // [B, scratch_bytes] see Scratch
    long long stride_b, stride_t;       // of the logits, in elements
    long long scratch_bytes, fast_edges, exact_edges, checkpoints;  // of one row, and where its parts begin
    int batch, frames, classes, blank, longest, width, chunks, tile, tile_warps, warps, keep, slots, normalize, dtype;
    int exact;                          // whether all rows take the exact road
    int span;                           // chunks that one block of `segments` works on, a power of two
};

// FRAGILE: the fast road cannot hold an emission of this row, or has lost something; see finish.
enum Status { FINE, FRAGILE, BAD_LABEL, NOT_FINITE, NO_PATH };
enum Dtype { FLOAT32, FLOAT16, BFLOAT16 };

#define INFINITE as_float(0x7f800000)
#define NOT_A_NUMBER as_float(0x7fc00000)
constexpr double LN2 = 0.693147180559945309417;
constexpr float LOG2E = 1.44269504088896341f;
constexpr int CHUNK = 8;                // frames that are stored together, and that a segment works on

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

struct Scratch {                        // of one row: the fast road's part and that of the exact one share the memory
    float* marks;                       // [2, chunks + 1, Q + 1 + Q / 4, 32 * tile_warps]
    int* fast_edges;                    // [2, chunks, tile_warps, EDGE_WORDS]
    Pair* emissions;                    // [T, width]
    Pair* exact_edges;                  // [2, T, warps]
    Pair* checkpoints;                  // [2, slots, Q, 32 * warps]
    CODE Scratch(const Args& a, int row) {
        char* bytes = a.scratch + row * a.scratch_bytes;
        marks = reinterpret_cast<float*>(bytes);
        fast_edges = reinterpret_cast<int*>(bytes + a.fast_edges);
        emissions = reinterpret_cast<Pair*>(bytes);
        exact_edges = reinterpret_cast<Pair*>(bytes + a.exact_edges);
        checkpoints = reinterpret_cast<Pair*>(bytes + a.checkpoints);
    }
};

CODE Row view(const Args& a, int row, bool backward) {
    return {int(a.lengths[row]), int(a.lengths[a.batch + row]), Table(a, row).index, Scratch(a, row).emissions,
            a.width, backward};
}

// Whether each class has an emission column, so that labels need no search for the different ones.
CODE bool is_dense(const Args& a) { return a.width == a.classes; }

// The column of a class where each has one: the blank first, then the others in order.
CODE int column_of(const Args& a, int c) { return c == a.blank ? 0 : c < a.blank ? c + 1 : c; }

// Probabilities of one chunk of a row, later its occupancies: [width, CHUNK].
CODE float* cells_of(const Args& a, int row, int chunk) {
    return a.probabilities + ((long long)row * a.chunks + chunk) * a.width * CHUNK;
}

struct TileRow {                        // one utterance on the fast road
    int frames, labels;                 // T, U
    const int* index;                   // [U] column of each label among the emissions; column 0 is the blank
    const float* probabilities;         // [chunks, width, CHUNK]
    int width;
};

CODE TileRow tile_view(const Args& a, int row) {
    return {int(a.lengths[row]), int(a.lengths[a.batch + row]), Table(a, row).index,
            cells_of(a, row, 0), a.width};
}
