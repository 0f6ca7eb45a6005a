// The fast road over a whole batch: both chains of each row with marks on the way, then the occupancies of each chunk.
#pragma once
#include "frames.cuh"
#include "tiles.cuh"

constexpr float WHOLE = 1073741824.0f;  // occupancies are summed as whole numbers of 2^-30: the same bits in any order
constexpr float TOO_MUCH = 1.5f;        // of a lane: whatever is so far above one does not fit the whole numbers

constexpr int SPAN = 4;                 // chunks that one block of `segments` works on, alpha going on from one to the next
constexpr int MOST_SHARE = 90;          // exponent of a factor: finite also where a tile is empty

CODE int chunks_of(int frames) { return (frames + CHUNK - 1) / CHUNK; }

template <int Q> CODE int tile_warps_of(int labels) { return (labels + 16 * Q) / (16 * Q); }  // of labels + 1 pairs

// Sends a row to the exact road. Not by its status, which other blocks are reading at the same time.
CODE void spoil(const Args& a, int index) { max_atomic(reinterpret_cast<int*>(a.health + index), as_int(INFINITE)); }

template <int Q> CODE float* mark(const Args& a, const Scratch& scratch, bool backward, int slot) {
    return scratch.marks + ((long long)backward * (a.chunks + 1) + slot) * ((Q + 1 + Q / TILE) * 32 * a.tile_warps);
}

CODE int* edge_record(const Args& a, const Scratch& scratch, bool backward, int chunk, int warp) {
    return scratch.fast_edges + (((long long)backward * a.chunks + chunk) * a.tile_warps + warp) * EDGE_WORDS;
}

// Words of shared memory for the edges of a sweep: two records that warps hand on, and one that says nothing.
CODE int* ring_record(int* ring, int warps, int step, int rank) {
    return ring + (1 + (step & 1) * warps + rank) * EDGE_WORDS;
}

// What a warp of a sweep does in one phase: its next chunk, from emissions that are here, while the next ones come.
template <int Q, bool BACKWARD, bool MANY>
CODE void sweep_phase(const Args& a, const TileRow& row, const Scratch& scratch, Chain<Q, BACKWARD, MANY>& chain,
                      const Emissions<Q>& now, Emissions<Q>& coming, int warps, int step, int* ring) {
    const int chunks = chunks_of(row.frames), rank = BACKWARD ? warps - 1 - chain.warp : chain.warp;
    if (step < 0 || step >= chunks) return;
    const int chunk = BACKWARD ? chunks - 1 - step : step, frames = row.frames - chunk * CHUNK;
    const bool kept = BACKWARD || chunk % SPAN == 0;
    if (step > 0 && a.grad && kept) chain.store(mark<Q>(a, scratch, BACKWARD, chunk), 32 * a.tile_warps);
    const int* edge = rank ? ring_record(ring, warps, step, rank - 1) : ring;
    int* record = ring_record(ring, warps, step, rank);
    const auto nobody = [](int) {};
    const auto fetch_next = [&] {
        // Whoever waits for a load waits for all that are under way. So the next ones are sent for when those of this
        // chunk have come, and not by the compiler's order.
        WARP_BARRIER();
        if (step + 1 < chunks) coming.fetch(row, BACKWARD ? chunk - 1 : chunk + 1);
    };
    if (frames >= CHUNK)
        run_chunk<true>(chain, now, frames, edge, record, fetch_next, nobody, nobody, nobody);
    else
        run_chunk<false>(chain, now, frames, edge, record, fetch_next, nobody, nobody, nobody);
    if (MANY && a.grad) {
        WARP_BARRIER();
        int* far = edge_record(a, scratch, BACKWARD, chunk, chain.warp);
        EACH_LANE(lane) if (lane < EDGE_WORDS) far[lane] = record[lane];
    }
}

// One direction of one row. Warps run the same chunk one after the other, a barrier apart: a wavefront.
// ring: [2 * warps + 1, EDGE_WORDS] in shared memory.
template <int Q, bool BACKWARD, bool MANY> CODE void sweep_block(const Args& a, int index, int* ring) {
    const TileRow row = tile_view(a, index);
    if (a.status[index] != FINE || row.frames == 0) return;
    const Scratch scratch(a, index);
    const int warps = MANY ? tile_warps_of<Q>(row.labels) : 1, chunks = chunks_of(row.frames);
    PerWarp<Chain<Q, BACKWARD, MANY>> chains;
    PerWarp<Emissions<Q>> even, odd;    // of the phases
    if (MANY)
        for (int i = THREAD_INDEX; i < EDGE_WORDS; i += THREAD_COUNT) ring[i] = nothing_enters(i);
    EACH_WARP(warp, warps) {
        Reg<int> columns[Q / 2 + 2];
        find_columns<Q>(row, warp, columns);
        chains[warp].place(row.labels, columns, warp);
        even[warp].place(row, columns);
        even[warp].fetch(row, BACKWARD ? chunks - 1 : 0);
        odd[warp] = even[warp];
    }
    BARRIER();
    for (int phase = 0; phase < chunks + warps - 1; phase += 2) {
        EACH_WARP(warp, warps) {
            const int step = phase - (BACKWARD ? warps - 1 - warp : warp);
            sweep_phase<Q, BACKWARD, MANY>(a, row, scratch, chains[warp], even[warp], odd[warp], warps, step, ring);
        }
        if (MANY) BARRIER();
        EACH_WARP(warp, warps) {
            const int step = phase + 1 - (BACKWARD ? warps - 1 - warp : warp);
            sweep_phase<Q, BACKWARD, MANY>(a, row, scratch, chains[warp], odd[warp], even[warp], warps, step, ring);
        }
        if (MANY) BARRIER();
    }
    EACH_WARP(warp, warps) {
        const Chain<Q, BACKWARD, MANY>& chain = chains[warp];
        if (!BACKWARD) chain.store(mark<Q>(a, scratch, false, a.chunks), 32 * a.tile_warps);
        if (BACKWARD && warp == 0)
            EACH_LANE(lane) if (lane == 0) {
                const float sum = chain.outer[lane] + (row.labels ? chain.state[Q - 1][lane] : 0.0f);
                if (!(sum > 0.0f && sum < INFINITE)) spoil(a, index);
                a.totals[index] = emit({sum, chain.exponent[Q / TILE - 1][lane]}, {1.0f, 0});
            }
    }
}

// Probability of the row by the forward sweep: its last two states.
template <int Q> CODE Pair forward_total(const Args& a, int index) {
    const TileRow row = tile_view(a, index);
    const float* line = mark<Q>(a, Scratch(a, index), false, a.chunks);
    const int stride = 32 * a.tile_warps, last = 2 * row.labels;
    Pair sum{0.0f, EMPTY};
    for (int s = max(last - 1, 0); s <= last; ++s) {
        const int thread = s / Q, q = s % Q;
        const float m = line[q * stride + thread];
        const int e = as_int(line[(Q + 1 + q / TILE) * stride + thread]);
        if (m > 0.0f) sum = add(sum, emit({m, e}, {1.0f, 0}));
    }
    return emit(sum, {1.0f, 0});
}

// Factors that bring a product of forward and backward tiles to a share of the row's probability.
template <int Q> struct Shares {
    Reg<float> same[Q / TILE];          // of a tile and the backward tile over the same labels
    Reg<float> beside[Q / TILE];        // of its first blank, which backward belongs to the labels before
    template <class Alphas, class Betas>
    CODE void build(const Alphas& alpha, const Betas& beta, Pair total) {
        constexpr int TILES = Q / TILE;
        const float scale = WHOLE / total.m;
        EACH_LANE(lane) UNROLL for (int i = 0; i < TILES; ++i) {
            const int level = alpha[i][lane] - total.e;
            same[i][lane] = scale * power_of_two(min(level + beta[TILES - 1 - i][lane], MOST_SHARE));
            const int earlier = level + beta[TILES - (i > 0 ? i : 1)][lane];
            beside[i][lane] = scale * power_of_two(min(earlier, MOST_SHARE));
        }
    }
};

// Where the count of a column and frame lies: neither frames of a column nor columns of a frame share a bank.
CODE int cell(int column, int i) { return column * CHUNK + (i ^ ((column >> 2) & (CHUNK - 1))); }

// What one warp of a segment keeps from chunk to chunk.
template <int Q, bool MANY> struct Segment {
    Reg<int> columns[Q / 2 + 2];
    Chain<Q, false, MANY> alpha;
};

// Counts of one chunk in one warp: alpha again, then beta from the mark after it against it. counts: [width, CHUNK] by
// cell(), sums: [CHUNK] in shared memory, edges: [3, EDGE_WORDS] of the warp's own.
template <int Q, bool MANY, bool FULL>
CODE void segment_warp(const Args& a, const TileRow& row, Segment<Q, MANY>& own, int index, int chunk, int warp,
                       int warps, int* counts, int* sums, int* edges) {
    constexpr int TILES = Q / TILE, LABELS = Q / 2;
    const Scratch scratch(a, index);
    const int frames = row.frames - chunk * CHUNK, stride = 32 * a.tile_warps;
    const Pair total = a.totals[index];
    int *into_alpha = edges, *into_beta = edges + EDGE_WORDS, *unused = edges + 2 * EDGE_WORDS;
    if (MANY) {
        const int* from_below = edge_record(a, scratch, false, chunk, warp - 1);
        const int* from_above = edge_record(a, scratch, true, chunk, warp + 1);
        WARP_BARRIER();
        EACH_LANE(lane) if (lane < EDGE_WORDS) {
            into_alpha[lane] = warp > 0 ? from_below[lane] : nothing_enters(lane);
            into_beta[lane] = warp + 1 < warps ? from_above[lane] : nothing_enters(lane);
        }
        WARP_BARRIER();
    }
    Emissions<Q> now;
    now.place(row, own.columns);
    now.fetch(row, chunk);
    Chain<Q, true, MANY> beta;
    beta.place(row.labels, own.columns, warp);
    if (chunk + 1 < chunks_of(row.frames)) beta.load(mark<Q>(a, scratch, true, chunk), stride, MANY ? into_beta[EDGE_START] : EMPTY);
    const auto nobody = [](int) {};
    Reg<float> alphas[CHUNK][Q];
    Reg<int> levels[2][TILES];          // exponents of the alphas, before and after the move
    Chain<Q, false, MANY>& alpha = own.alpha;
    UNROLL for (int i = 0; i < TILES; ++i) levels[0][i] = alpha.exponent[i];
    const auto keep = [&](int i) {
        UNROLL for (int q = 0; q < Q; ++q) alphas[i][q] = alpha.state[q];
    };
    const auto keep_levels = [&](int half) {
        if (half == 0) UNROLL for (int i = 0; i < TILES; ++i) levels[1][i] = alpha.exponent[i];
    };
    run_chunk<FULL>(alpha, now, frames, into_alpha, unused, [] {}, nobody, keep, keep_levels);

    Shares<Q> shares;
    shares.build(levels[1], beta.exponent, total);
    const auto meet = [&](int i) {
        Reg<int> all, blanks;
        EACH_LANE(lane) {
            float blank = 0.0f, every = 0.0f;
            int labels = 0;
            UNROLL for (int j = 0; j < LABELS; ++j) {
                const float beta_blank = j ? beta.state[j > 0 ? 2 * (LABELS - j) : 0][lane] : beta.outer[lane];
                const float share = j % 2 || j == 0 ? shares.same[j / 2][lane] : shares.beside[j / 2][lane];
                blank += alphas[i][2 * j][lane] * beta_blank * share;
                const float beta_label = beta.state[2 * (LABELS - 1 - j) + 1][lane];
                const float label = alphas[i][2 * j + 1][lane] * beta_label * shares.same[j / 2][lane];
                every += label;
                const int count = nearest(label);
                labels += count;
                if (count) add_atomic(counts + cell(now.columns[1 + j][lane], i), count);
            }
            blanks[lane] = nearest(blank);
            all[lane] = labels + blanks[lane];
            if (!(every + blank <= TOO_MUCH * WHOLE)) spoil(a, index);
        }
        const int of_blank = count_all(blanks), of_all = count_all(all);
        EACH_LANE(lane) if (lane == 0) {
            add_atomic(counts + cell(0, i), of_blank);
            add_atomic(sums + i, of_all);
        }
    };
    const auto next_shares = [&](int half) {
        if (half == 0) shares.build(levels[0], beta.exponent, total);
    };
    run_chunk<FULL>(beta, now, frames, into_beta, unused, [] {}, meet, nobody, next_shares);
}

// The gradient of one chunk of a row whose columns are all classes, from the counts.
template <int DTYPE> CODE void write_gradient(const Args& a, int index, int chunk, const int* counts, const int* sums) {
    const int begin = chunk * CHUNK, frames = min(int(a.lengths[index]) - begin, CHUNK), classes = a.classes;
    const long long out = ((long long)index * a.frames + begin) * classes;
    const float* line = a.probabilities + ((long long)index * a.chunks + chunk) * classes * CHUNK;
    const bool known = a.normalize && !a.prior;         // the emissions are the softmax
    int i = THREAD_INDEX / classes, c = THREAD_INDEX % classes;
    for (int at = THREAD_INDEX; at < frames * classes; at += THREAD_COUNT) {
        const int column = c == a.blank ? 0 : c < a.blank ? c + 1 : c;
        float softmax = 0.0f;
        if (known) softmax = line[column * CHUNK + i];
        if (!known && a.normalize) {
            const Pair norm = a.norms[(long long)index * a.frames + begin + i];
            const long long from = index * a.stride_b + (begin + i) * a.stride_t + c;
            softmax = exp2_fast((load<DTYPE>(a.logits, from) - norm.m - as_float(norm.e)) * LOG2E);
        }
        store<DTYPE>(a.grad, out + at, softmax - counts[cell(column, i)] * (1.0f / sums[i]));
        for (c += THREAD_COUNT; c >= classes; c -= classes) ++i;
    }
}

// The gradient of padding, and of a chunk of a row without a path or without finite scores.
template <int DTYPE> CODE void fill_gradient(const Args& a, int index, int chunk) {
    const int begin = chunk * CHUNK, length = int(a.lengths[index]);
    const long long out = ((long long)index * a.frames + begin) * a.classes;
    const bool computed = a.status[index] == FINE || a.status[index] == FRAGILE;
    const int real = computed ? min(max(length - begin, 0), CHUNK) : 0;
    const int last = min(a.frames - begin, CHUNK);
    for (int at = real * a.classes + THREAD_INDEX; at < last * a.classes; at += THREAD_COUNT) {
        const bool spoiled = a.status[index] == NOT_FINITE && begin + at / a.classes < length;
        store<DTYPE>(a.grad, out + at, spoiled ? NOT_A_NUMBER : 0.0f);
    }
}

CODE bool is_dense(const Args& a) { return a.width == a.classes; }

// Occupancies of SPAN chunks in the place of their probabilities, or at once the gradient where the columns are all
// classes. memory: sums [CHUNK], counts [width, CHUNK], and edges [warps, 3, EDGE_WORDS] of MANY.
template <int Q, bool MANY> CODE void segment_block(const Args& a, int index, int group, int* memory) {
    const TileRow row = tile_view(a, index);
    const int warps = MANY ? tile_warps_of<Q>(row.labels) : 1, cells = CHUNK * row.width;
    const int chunks = a.status[index] == FINE ? chunks_of(row.frames) : 0;
    int *sums = memory, *counts = memory + CHUNK, *edges = counts + cells;
    PerWarp<Segment<Q, MANY>> segments;
    const int first = group * SPAN, last = min(first + SPAN, a.chunks);
    if (first < chunks)
        EACH_WARP(warp, warps) {
            Segment<Q, MANY>& own = segments[warp];
            find_columns<Q>(row, warp, own.columns);
            own.alpha.place(row.labels, own.columns, warp);
            if (first > 0) {
                const Scratch scratch(a, index);
                const int entering = MANY && warp > 0 ? edge_record(a, scratch, false, first, warp - 1)[EDGE_START] : EMPTY;
                own.alpha.load(mark<Q>(a, scratch, false, first), 32 * a.tile_warps, entering);
            }
        }
    for (int chunk = first; chunk < last; ++chunk) {
        if (is_dense(a)) IN_DTYPE(fill_gradient, a, index, chunk);
        if (chunk >= chunks) continue;
        const int frames = row.frames - chunk * CHUNK;
        for (int i = THREAD_INDEX; i < CHUNK + cells; i += THREAD_COUNT) memory[i] = 0;
        BARRIER();
        EACH_WARP(warp, warps) {
            int* own = edges + warp * 3 * EDGE_WORDS;
            if (frames >= CHUNK)
                segment_warp<Q, MANY, true>(a, row, segments[warp], index, chunk, warp, warps, counts, sums, own);
            else
                segment_warp<Q, MANY, false>(a, row, segments[warp], index, chunk, warp, warps, counts, sums, own);
        }
        BARRIER();
        if (is_dense(a)) {
            IN_DTYPE(write_gradient, a, index, chunk, counts, sums);
        } else {
            float* line = a.probabilities + ((long long)index * a.chunks + chunk) * cells;
            for (int column = THREAD_INDEX; column < row.width; column += THREAD_COUNT) {
                float shares[CHUNK];
                UNROLL for (int i = 0; i < CHUNK; ++i)
                    shares[i] = i < frames ? counts[cell(column, i)] * (1.0f / sums[i]) : 0.0f;
                store_eight(line + column * CHUNK, shares);
            }
        }
        for (int i = THREAD_INDEX; i < min(frames, CHUNK); i += THREAD_COUNT)
            max_atomic(reinterpret_cast<int*>(a.health + index), as_int(float(fabs(sums[i] / WHOLE - 1.0f))));
        BARRIER();
    }
}
