// The fast road over a whole batch: both chains of each row with marks on the way, then the occupancies of each chunk.
#pragma once
#include "frames.cuh"
#include "tiles.cuh"

constexpr float WHOLE = 1073741824.0f;  // occupancies are summed as whole numbers of 2^-30: the same bits in any order
constexpr float TOO_MUCH = 1.5f;        // of a lane: whatever is so far above one does not fit the whole numbers

constexpr int LINE = 32;                // floats of a cache line
constexpr int DISTANCE = 3;             // chunks from the one that a sweep works on to the one that it asks for
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

// What a warp of a sweep carries from chunk to chunk.
template <int Q, bool BACKWARD, bool MANY> struct Sweep {
    Chain<Q, BACKWARD, MANY> chain;
    Emissions<Q> emissions;
    Reg<const float*> ahead;            // of what is brought near: a line for each lane
    float* mark;
};

// What a warp of a sweep does in one phase: its next chunk, while the emissions of the next half chunk come.
template <int Q, bool BACKWARD, bool MANY>
CODE void sweep_phase(const Args& a, const TileRow& row, const Scratch& scratch, Sweep<Q, BACKWARD, MANY>& sweep,
                      int chunks, int warps, int step, int* ring) {
    constexpr int SIGN = BACKWARD ? -1 : 1;
    if (MANY && (step < 0 || step >= chunks)) return;
    const int rank = BACKWARD ? warps - 1 - sweep.chain.warp : sweep.chain.warp;
    const int chunk = BACKWARD ? chunks - 1 - step : step, frames = row.frames - chunk * CHUNK;
    const int cells = row.width * CHUNK, stride = MANY ? 32 * a.tile_warps : 32;
    if (step + DISTANCE < chunks)
        EACH_LANE(lane) {
            if (lane * LINE < cells) prefetch(sweep.ahead[lane]);
            if (cells > 32 * LINE)
                for (int at = (32 + lane) * LINE; at < cells; at += 32 * LINE) prefetch(sweep.ahead[lane] + at);
            sweep.ahead[lane] += SIGN * cells;
        }
    if (step > 0 && a.grad && (BACKWARD || (chunk & (a.span - 1)) == 0)) sweep.chain.store(sweep.mark, stride);
    sweep.mark += SIGN * (Q + 1 + Q / TILE) * stride;
    const int* edge = rank ? ring_record(ring, warps, step, rank - 1) : ring;
    int* record = ring_record(ring, warps, step, rank);
    const auto nobody = [](int) {};
    // Whoever waits for a load waits for all that are under way. So the next ones are sent for when those before them
    // have come, between two barriers: the compiler would move them to where they are used.
    const auto fetch_ahead = [&](int half) {
        WARP_BARRIER();
        if (half == 0) {
            sweep.emissions.fetch(BACKWARD ? 0 : 1);
            sweep.emissions.advance(SIGN * cells);
        } else if (step + 1 < chunks) {
            sweep.emissions.fetch(BACKWARD ? 1 : 0);
        }
        WARP_BARRIER();
    };
    if (frames >= CHUNK)
        run_chunk<true>(sweep.chain, sweep.emissions.value, frames, edge, record, fetch_ahead, nobody, nobody, nobody);
    else
        run_chunk<false>(sweep.chain, sweep.emissions.value, frames, edge, record, fetch_ahead, nobody, nobody, nobody);
    if (MANY && a.grad) {
        WARP_BARRIER();
        int* far = edge_record(a, scratch, BACKWARD, chunk, sweep.chain.warp);
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
    PerWarp<Sweep<Q, BACKWARD, MANY>> sweeps;
    if (MANY)
        for (int i = THREAD_INDEX; i < EDGE_WORDS; i += THREAD_COUNT) ring[i] = nothing_enters(i);
    EACH_WARP(warp, warps) {
        Sweep<Q, BACKWARD, MANY>& sweep = sweeps[warp];
        const int chunk = BACKWARD ? chunks - 1 : 0, ahead = BACKWARD ? chunk - DISTANCE : DISTANCE;
        Reg<int> columns[Q / 2 + 2];
        find_columns<Q>(row, warp, columns);
        sweep.chain.place(row.labels, columns, warp);
        sweep.emissions.place(row, columns, chunk);
        sweep.emissions.fetch(BACKWARD ? 1 : 0);
        EACH_LANE(lane) sweep.ahead[lane] = row.probabilities + (long long)ahead * row.width * CHUNK + lane * LINE;
        sweep.mark = mark<Q>(a, scratch, BACKWARD, chunk);
    }
    if (MANY) BARRIER();
    for (int phase = 0; phase < chunks + warps - 1; ++phase) {
        EACH_WARP(warp, warps) {
            const int step = phase - (BACKWARD ? warps - 1 - warp : warp);
            sweep_phase<Q, BACKWARD, MANY>(a, row, scratch, sweeps[warp], chunks, warps, step, ring);
        }
        if (MANY) BARRIER();
    }
    EACH_WARP(warp, warps) {
        const Chain<Q, BACKWARD, MANY>& chain = sweeps[warp].chain;
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
CODE Pair forward_total(const Args& a, int index) {
    const TileRow row = tile_view(a, index);
    const int q = a.tile, stride = 32 * a.tile_warps, last = 2 * row.labels;
    const float* line = Scratch(a, index).marks + (long long)a.chunks * ((q + 1 + q / TILE) * stride);
    Pair sum{0.0f, EMPTY};
    for (int s = max(last - 1, 0); s <= last; ++s) {
        const float m = line[s % q * stride + s / q];
        const int e = as_int(line[(q + 1 + s % q / TILE) * stride + s / q]);
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

constexpr int COUNTS = CHUNK + 1;       // ints from column to column: columns of a frame lie in different banks

CODE int cell(int column, int i) { return column * COUNTS + i; }

// Alphas of one chunk until beta comes: in registers of MANY warps, else in shared memory.
template <int Q, bool MANY> struct Alphas {
    Reg<float> value[CHUNK][Q];
    CODE Alphas(float*) {}
    CODE void keep(int i, const Reg<float> (&state)[Q]) {
        UNROLL for (int q = 0; q < Q; ++q) value[i][q] = state[q];
    }
    CODE void recall(int i, Reg<float> (&state)[Q]) const {
        UNROLL for (int q = 0; q < Q; ++q) state[q] = value[i][q];
    }
};

template <int Q> struct Alphas<Q, false> {
    float* memory;                      // [CHUNK, Q / 4, 32, 4]
    CODE Alphas(float* from) : memory(from) {}
    CODE float* place(int i, int four, int lane) const { return memory + ((i * (Q / 4) + four) * 32 + lane) * 4; }
    CODE void keep(int i, const Reg<float> (&state)[Q]) {
        EACH_LANE(lane) UNROLL for (int four = 0; four < Q / 4; ++four) {
            float x[4];
            UNROLL for (int k = 0; k < 4; ++k) x[k] = state[four * 4 + k][lane];
            store_four(place(i, four, lane), x);
        }
    }
    CODE void recall(int i, Reg<float> (&state)[Q]) const {
        EACH_LANE(lane) UNROLL for (int four = 0; four < Q / 4; ++four) {
            float x[4];
            load_four(place(i, four, lane), x);
            UNROLL for (int k = 0; k < 4; ++k) state[four * 4 + k][lane] = x[k];
        }
    }
};

// What one warp of a segment keeps from chunk to chunk.
template <int Q, bool MANY> struct Segment {
    Reg<int> columns[Q / 2 + 2];
    Chain<Q, false, MANY> alpha;
};

// Counts of one chunk in one warp: alpha again, then beta from the mark after it against it. counts: [width, COUNTS],
// sums: [CHUNK] in shared memory, edges: [3, EDGE_WORDS] of the warp's own, kept: for Alphas.
template <int Q, bool MANY, bool FULL>
CODE void segment_warp(const Args& a, const TileRow& row, Segment<Q, MANY>& own, int index, int chunk, int warp,
                       int warps, int* counts, int* sums, int* edges, float* kept) {
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
    Reg<float> now[LABELS + 1][CHUNK];
    fetch_chunk<Q>(row, own.columns, chunk, now);
    Chain<Q, true, MANY> beta;
    beta.place(row.labels, own.columns, warp);
    const int entering = MANY ? into_beta[EDGE_START] : EMPTY;
    if (chunk + 1 < chunks_of(row.frames)) beta.load(mark<Q>(a, scratch, true, chunk), stride, entering);
    const auto nobody = [](int) {};
    Alphas<Q, MANY> alphas(kept);
    Reg<int> levels[2][TILES];          // exponents of the alphas, before and after the move
    Chain<Q, false, MANY>& alpha = own.alpha;
    UNROLL for (int i = 0; i < TILES; ++i) levels[0][i] = alpha.exponent[i];
    const auto keep = [&](int i) { alphas.keep(i, alpha.state); };
    const auto keep_levels = [&](int half) {
        if (half == 0) UNROLL for (int i = 0; i < TILES; ++i) levels[1][i] = alpha.exponent[i];
    };
    run_chunk<FULL>(alpha, now, frames, into_alpha, unused, nobody, nobody, keep, keep_levels);

    Shares<Q> shares;
    shares.build(levels[1], beta.exponent, total);
    Reg<SharedCell> cells[LABELS];
    EACH_LANE(lane) UNROLL for (int j = 0; j < LABELS; ++j)
        cells[j][lane] = shared_cell(counts + cell(own.columns[1 + j][lane], 0));
    const SharedCell blank_cell = shared_cell(counts), sum_cell = shared_cell(sums);
    Reg<bool> broken;
    EACH_LANE(lane) broken[lane] = false;
    const auto meet = [&](int i) {
        Reg<float> state[Q], labels[LABELS], blank;
        Reg<bool> some;
        alphas.recall(i, state);
        EACH_LANE(lane) {
            float every = 0.0f, blanks = 0.0f;
            UNROLL for (int j = 0; j < LABELS; ++j) {
                const float beta_blank = j ? beta.state[j > 0 ? 2 * (LABELS - j) : 0][lane] : beta.outer[lane];
                const float share = j % 2 || j == 0 ? shares.same[j / 2][lane] : shares.beside[j / 2][lane];
                blanks += state[2 * j][lane] * beta_blank * share;
                const float beta_label = beta.state[2 * (LABELS - 1 - j) + 1][lane];
                labels[j][lane] = state[2 * j + 1][lane] * beta_label * shares.same[j / 2][lane];
                every += labels[j][lane];
            }
            blank[lane] = blanks;
            every += blanks;
            some[lane] = every >= 0.5f;     // else each of them is rounded to nothing
            broken[lane] = broken[lane] || !(every <= TOO_MUCH * WHOLE);
        }
        if (!any_lane(some)) return;
        Reg<int> all, blank_count;
        EACH_LANE(lane) {
            int counted[LABELS], sum = 0;
            UNROLL for (int j = 0; j < LABELS; ++j) {
                counted[j] = nearest(labels[j][lane]);
                sum += counted[j];
            }
            if (sum)
                UNROLL for (int j = 0; j < LABELS; ++j) count_up(cells[j][lane], i, counted[j]);
            blank_count[lane] = nearest(blank[lane]);
            all[lane] = sum + blank_count[lane];
        }
        const int of_blank = count_all(blank_count), of_all = count_all(all);
        EACH_LANE(lane) if (lane == 0) {
            count_up(blank_cell, i, of_blank);
            count_up(sum_cell, i, of_all);
        }
    };
    const auto next_shares = [&](int half) {
        if (half == 0) shares.build(levels[0], beta.exponent, total);
    };
    WARP_BARRIER();                     // both chains write what nobody reads to the same place
    run_chunk<FULL>(beta, now, frames, into_beta, unused, nobody, meet, nobody, next_shares);
    if (any_lane(broken)) spoil(a, index);
}

// The gradient of one chunk of a row whose columns are all classes, from the counts. scales: [CHUNK], see settle_sums.
template <int DTYPE>
CODE void write_gradient(const Args& a, int index, int chunk, int frames, const int* counts, const int* scales) {
    const int begin = chunk * CHUNK, classes = a.classes;
    const long long first = (long long)index * a.frames + begin;
    for (int c = THREAD_INDEX; c < classes; c += THREAD_COUNT) {
        const int column = column_of(a, c);
        float softmax[CHUNK] = {};
        if (a.normalize && !a.prior) {                  // the emissions are the softmax
            const float* line = cells_of(a, index, chunk) + column * CHUNK;
            load_four(line, softmax);
            load_four(line + 4, softmax + 4);
        } else if (a.normalize) {
            UNROLL for (int i = 0; i < CHUNK; ++i) {
                if (i >= frames) continue;
                const Pair norm = a.norms[first + i];
                const float x = load<DTYPE>(a.logits, index * a.stride_b + (begin + i) * a.stride_t + c);
                softmax[i] = exp2_fast((x - norm.m - as_float(norm.e)) * LOG2E);
            }
        }
        UNROLL for (int i = 0; i < CHUNK; ++i)
            if (i < frames) {
                const float share = counts[cell(column, i)] * as_float(scales[i]);
                store<DTYPE>(a.grad, (first + i) * classes + c, softmax[i] - share);
            }
    }
}

// Of each frame of a chunk: how far the sum of its occupancies is from the row's probability, and what brings a count
// to a share of it, in the place of the sum.
CODE void settle_sums(const Args& a, int index, int frames, int* sums) {
    for (int i = THREAD_INDEX; i < min(frames, CHUNK); i += THREAD_COUNT) {
        max_atomic(reinterpret_cast<int*>(a.health + index), as_int(float(fabs(sums[i] / WHOLE - 1.0f))));
        sums[i] = as_int(1.0f / sums[i]);
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

CALLED void fill_gradient(const Args& a, int index, int chunk) { IN_DTYPE(fill_gradient, a, index, chunk); }

// Brings near what the next chunk of a span begins with: its emissions, and the mark from which beta starts.
template <int Q> CODE void prefetch_next(const Args& a, const TileRow& row, int index, int chunk) {
    const float* line = cells_of(a, index, chunk);
    const float* beta = mark<Q>(a, Scratch(a, index), true, chunk);
    const int words = (Q + 1 + Q / TILE) * 32 * a.tile_warps;
    for (int at = THREAD_INDEX * LINE; at < row.width * CHUNK; at += THREAD_COUNT * LINE) prefetch(line + at);
    for (int at = THREAD_INDEX * LINE; at < words; at += THREAD_COUNT * LINE) prefetch(beta + at);
}

// Occupancies of `span` chunks in the place of their probabilities, or at once the gradient where the columns are all
// classes. memory: kept [CHUNK, Q, 32] of one warp, sums [CHUNK], counts [width, COUNTS], edges [warps, 3, EDGE_WORDS].
template <int Q, bool MANY> CODE void segment_block(const Args& a, int index, int group, int* memory) {
    const TileRow row = tile_view(a, index);
    const int warps = MANY ? tile_warps_of<Q>(row.labels) : 1, cells = COUNTS * row.width;
    const int chunks = a.status[index] == FINE ? chunks_of(row.frames) : 0;
    float* kept = reinterpret_cast<float*>(memory);
    int *sums = memory + (MANY ? 0 : CHUNK * Q * 32), *counts = sums + CHUNK, *edges = counts + cells;
    PerWarp<Segment<Q, MANY>> segments;
    const int first = group * a.span, last = min(first + a.span, a.chunks);
    if (first < chunks)
        EACH_WARP(warp, warps) {
            Segment<Q, MANY>& own = segments[warp];
            find_columns<Q>(row, warp, own.columns);
            own.alpha.place(row.labels, own.columns, warp);
            if (first > 0) {
                const Scratch scratch(a, index);
                int entering = EMPTY;
                if (MANY && warp > 0) entering = edge_record(a, scratch, false, first, warp - 1)[EDGE_START];
                own.alpha.load(mark<Q>(a, scratch, false, first), 32 * a.tile_warps, entering);
            }
        }
    for (int chunk = first; chunk < last; ++chunk) {
        if (is_dense(a) && (chunk >= chunks || row.frames - chunk * CHUNK < CHUNK)) fill_gradient(a, index, chunk);
        if (chunk >= chunks) continue;
        const int frames = row.frames - chunk * CHUNK;
        if (chunk + 1 < min(last, chunks)) prefetch_next<Q>(a, row, index, chunk + 1);
        for (int i = THREAD_INDEX; i < CHUNK + cells; i += THREAD_COUNT) sums[i] = 0;
        BARRIER();
        EACH_WARP(warp, warps) {
            int* own = edges + warp * 3 * EDGE_WORDS;
            if (frames >= CHUNK)
                segment_warp<Q, MANY, true>(a, row, segments[warp], index, chunk, warp, warps, counts, sums, own, kept);
            else
                segment_warp<Q, MANY, false>(a, row, segments[warp], index, chunk, warp, warps, counts, sums, own,
                                             kept);
        }
        BARRIER();
        settle_sums(a, index, frames, sums);
        BARRIER();
        if (is_dense(a)) {
            IN_DTYPE(write_gradient, a, index, chunk, min(frames, CHUNK), counts, sums);
        } else {
            float* line = cells_of(a, index, chunk);
            for (int column = THREAD_INDEX; column < row.width; column += THREAD_COUNT) {
                float shares[CHUNK];
                UNROLL for (int i = 0; i < CHUNK; ++i)
                    shares[i] = i < frames ? counts[cell(column, i)] * as_float(sums[i]) : 0.0f;
                store_eight(line + column * CHUNK, shares);
            }
        }
        BARRIER();
    }
}
