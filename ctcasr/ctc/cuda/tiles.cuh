// The recursion of one warp on the fast road: four neighbouring states, a tile, share one exponent.
//
// The exponents move every PERIOD frames. Until then a frame is a few additions and products of plain floats, and a
// state that has fallen too far behind its neighbours becomes zero. Whether that lost anything shows afterwards (the
// occupancies of a frame no longer sum to the probability of the row); such a row is computed anew by lattice.cuh,
// where each state has an exponent of its own.
//
// Both directions keep the same labels in the same lane. Forward, a pair of states is a label and the blank before it;
// backward, a label and the blank after it. Seen along the chain that is the same recursion.
#pragma once
#include "batch.cuh"

constexpr int TILE = 4;                 // states of a tile along the chain: blank, label, blank, label
constexpr int PERIOD = 4;               // frames between two moves of the exponents: a state moves 2 * PERIOD states
constexpr int TOP = 40;                 // a tile's window is brought to 2^TOP; products of two tiles stay finite
constexpr int EMPTY = NOTHING;          // exponent of a tile that holds nothing

constexpr int EDGE_WORDS = 16;          // what a warp must know of the warp before it, for one chunk of frames
enum EdgeWord {
    EDGE_STATE = 0,                     // [CHUNK] its last state before each frame
    EDGE_START = CHUNK,                 // exponent of that state at the beginning of the chunk
    EDGE_LAST,                          // [2] top of its last tile at each move
    EDGE_BEFORE = EDGE_LAST + 2,        // [2] and of the tile before that
    EDGE_AFTER = EDGE_BEFORE + 2,       // [2] exponent of its last tile after each move
};

// A word of what comes to the first warp of a chain: nothing.
CODE int nothing_enters(int word) { return word < EDGE_START ? 0 : EMPTY; }

CODE int limited(int exponent) { return min(exponent, 127); }

// MANY: the row has more warps than one, and what leaves a warp enters the next; see EdgeWord.
template <int Q, bool BACKWARD, bool MANY> struct Chain {
    static constexpr int TILES = Q / TILE, LABELS = Q / 2, ENTRY = BACKWARD ? 31 : 0, EXIT = 31 - ENTRY;
    int warp;
    Reg<float> state[Q];                // along the chain
    Reg<float> outer;                   // backward only: the blank before the lane's first label
    Reg<int> exponent[TILES];
    Reg<float> bridge[TILES];           // brings what enters a tile to the tile's exponent
    Reg<float> skip[LABELS];            // 1 where the blank before this label may be left out
    // The same of a tile's first label, and the bridge: a product less in a frame, where there are registers for it.
    static constexpr bool FOLDED = TILES < 4;
    Reg<float> skipping[TILES];

    CODE int first_label(int lane) const { return (warp * 32 + lane) * LABELS; }
    // Position of the lane's j-th label along the chain.
    CODE int position(int lane, int j) const { return first_label(lane) + (BACKWARD ? LABELS - 1 - j : j); }

    // Places the chain before its first frame: one virtual state with probability one. `columns` are those of the
    // lane's labels, between the label before and the one after.
    CODE void place(int labels, const Reg<int> (&columns)[LABELS + 2], int as_warp) {
        warp = as_warp;
        EACH_LANE(lane) {
            UNROLL for (int j = 0; j < LABELS; ++j) {
                const int u = position(lane, j), before = BACKWARD ? u + 1 : u - 1;
                const int at = 1 + (BACKWARD ? LABELS - 1 - j : j), other = BACKWARD ? at + 1 : at - 1;
                const bool inside = u < labels && before >= 0 && before < labels;
                skip[j][lane] = inside && columns[at][lane] != columns[other][lane] ? 1.0f : 0.0f;
                const int start = BACKWARD ? labels - 1 : 0;
                state[2 * j][lane] = u == start ? 1.0f : 0.0f;
                state[2 * j + 1][lane] = 0.0f;
            }
            outer[lane] = BACKWARD && first_label(lane) == labels ? 1.0f : 0.0f;
            UNROLL for (int i = 0; i < TILES; ++i) {
                exponent[i][lane] = 0;
                bridge[i][lane] = !MANY && i == 0 && lane == ENTRY ? 0.0f : 1.0f;
                skipping[i][lane] = skip[2 * i][lane] * bridge[i][lane];
            }
        }
    }

    // A mark is [Q + 1 + TILES, 32 * warps]: states, the outer blank, exponents.
    CODE void store(float* mark, int stride) const {
        EACH_LANE(lane) {
            const int thread = warp * 32 + lane;
            UNROLL for (int q = 0; q < Q; ++q) mark[q * stride + thread] = state[q][lane];
            mark[Q * stride + thread] = outer[lane];
            UNROLL for (int i = 0; i < TILES; ++i)
                mark[(Q + 1 + i) * stride + thread] = as_float(exponent[i][lane]);
        }
    }
    // `entering` is the exponent of the last tile of the warp before.
    CODE void load(const float* mark, int stride, int entering) {
        EACH_LANE(lane) {
            const int thread = warp * 32 + lane;
            UNROLL for (int q = 0; q < Q; ++q) state[q][lane] = mark[q * stride + thread];
            outer[lane] = mark[Q * stride + thread];
            UNROLL for (int i = 0; i < TILES; ++i) exponent[i][lane] = as_int(mark[(Q + 1 + i) * stride + thread]);
        }
        Reg<int> before = along(exponent[TILES - 1]);
        EACH_LANE(lane) if (lane == ENTRY) before[lane] = entering;
        build_bridges(before);
    }

    // What the lane `by` before along the chain has.
    template <class T> CODE Reg<T> along(const Reg<T>& x, int by = 1) const {
        return BACKWARD ? shift_down(x, by) : shift_up(x, by);
    }
    CODE int distance(int lane) const { return BACKWARD ? 31 - lane : lane; }  // from where the chain enters

    // `before` is the exponent of the last tile of the lane before.
    CODE void build_bridges(const Reg<int>& before) {
        EACH_LANE(lane) UNROLL for (int i = 0; i < TILES; ++i) {
            const int other = i ? exponent[i > 0 ? i - 1 : 0][lane] : before[lane];
            bridge[i][lane] = power_of_two(limited(other - exponent[i][lane]));
            skipping[i][lane] = skip[2 * i][lane] * bridge[i][lane];
        }
    }

    // Sums what may flow into each state. `entering` is the last state of the warp before, one frame ago.
    CODE void sum(float entering) {
        Reg<float> border = along(state[Q - 1]);
        EACH_LANE(lane) {
            if (MANY && lane == ENTRY) border[lane] = entering;
            if (BACKWARD) outer[lane] += state[Q - 1][lane];
            UNROLL for (int i = TILES - 1; i >= 0; --i) {
                const float outside = i ? state[i > 0 ? i * TILE - 1 : 0][lane] : border[lane];
                Reg<float>* tile = state + i * TILE;
                tile[3][lane] = fmaf(skip[2 * i + 1][lane], tile[1][lane], tile[3][lane] + tile[2][lane]);
                tile[2][lane] = tile[2][lane] + tile[1][lane];
                if (FOLDED) {
                    tile[1][lane] = fmaf(skipping[i][lane], outside, tile[1][lane] + tile[0][lane]);
                    tile[0][lane] = fmaf(bridge[i][lane], outside, tile[0][lane]);
                } else {
                    const float from = outside * bridge[i][lane];
                    tile[1][lane] = fmaf(skip[2 * i][lane], from, tile[1][lane] + tile[0][lane]);
                    tile[0][lane] = tile[0][lane] + from;
                }
            }
        }
    }

    // Multiplies by the emissions of frame `i` of the chunk: row 0 is the blank, then the labels of the lane in order.
    CODE void emit(const Reg<float> (&emissions)[LABELS + 1][CHUNK], int i) {
        EACH_LANE(lane) {
            if (BACKWARD) outer[lane] *= emissions[0][i][lane];
            UNROLL for (int j = 0; j < LABELS; ++j) {
                const int label = BACKWARD ? LABELS - 1 - j : j;
                state[2 * j][lane] *= emissions[0][i][lane];
                state[2 * j + 1][lane] *= emissions[1 + label][i][lane];
            }
        }
    }

    // Moves the exponents: what a tile holds, and what may reach it until the next move, comes to 2^TOP. `edge` is
    // what comes from the warp before, `record` becomes what the warp after has to know.
    CODE void move(const int* edge, int half, int* record) {
        Reg<int> top[TILES];
        EACH_LANE(lane) UNROLL for (int i = 0; i < TILES; ++i) {
            float most = i == TILES - 1 && BACKWARD ? outer[lane] : 0.0f;
            UNROLL for (int q = 0; q < TILE; ++q) most = fmaxf(most, state[i * TILE + q][lane]);
            const int level = exponent[i][lane] + (as_int(most) >> 23) - 127;
            top[i][lane] = most > 0.0f ? level : EMPTY;
        }
        // Tops of the three tiles before the lane's first, each from the lane that holds it; where that lies in the
        // warp before, `edge` tells the last two, and the exponent that the third would be asked for.
        Reg<int> tops_before[3];
        UNROLL for (int k = 0; k < 3; ++k) {
            tops_before[k] = along(top[TILES - 1 - k % TILES], 1 + k / TILES);
            EACH_LANE(lane) {
                const int beyond = k - distance(lane) * TILES;  // of the warp before: 0 is its last tile
                if (beyond == 0) tops_before[k][lane] = MANY ? edge[EDGE_LAST + half] : EMPTY;
                if (beyond == 1) tops_before[k][lane] = MANY ? edge[EDGE_BEFORE + half] : EMPTY;
            }
        }
        Reg<int> before;                // new exponent of the tile before the first, without asking its lane again
        EACH_LANE(lane) {
            const int one = tops_before[0][lane], two = tops_before[1][lane], three = tops_before[2][lane];
            before[lane] = max(max(one, max(two, three)) - TOP, EMPTY);
            if (lane == ENTRY) before[lane] = MANY ? edge[EDGE_AFTER + half] : EMPTY;
            if (MANY && lane == EXIT) {
                record[EDGE_LAST + half] = top[TILES - 1][lane];
                record[EDGE_BEFORE + half] = TILES > 1 ? top[TILES > 1 ? TILES - 2 : 0][lane] : one;
            }
            UNROLL for (int i = TILES - 1; i >= 0; --i) {
                const int first = i ? top[i > 0 ? i - 1 : 0][lane] : one;
                const int second = i > 1 ? top[i > 1 ? i - 2 : 0][lane] : i == 1 ? one : two;
                const int next = max(max(top[i][lane], max(first, second)) - TOP, EMPTY);
                const float scale = power_of_two(limited(exponent[i][lane] - next));
                exponent[i][lane] = next;
                UNROLL for (int q = 0; q < TILE; ++q) state[i * TILE + q][lane] *= scale;
                if (BACKWARD && i == TILES - 1) outer[lane] *= scale;
            }
            if (MANY && lane == EXIT) record[EDGE_AFTER + half] = exponent[TILES - 1][lane];
        }
        build_bridges(before);
    }
};

// The columns of a lane's labels, between that of the label before and that of the one after.
template <int Q> CODE void find_columns(const TileRow& row, int warp, Reg<int> (&columns)[Q / 2 + 2]) {
    EACH_LANE(lane) UNROLL for (int j = 0; j < Q / 2 + 2; ++j) {
        const int u = (warp * 32 + lane) * (Q / 2) + j - 1;
        columns[j][lane] = u >= 0 && u < row.labels ? row.index[u] : 0;
    }
}

// The emissions of one chunk for the labels of a lane: row 0 is the blank, then the labels in order.
template <int Q> struct Emissions {
    Reg<const float*> from[Q / 2 + 1];  // where those of the next chunk lie
    Reg<float> value[Q / 2 + 1][CHUNK];

    CODE void place(const TileRow& row, const Reg<int> (&columns)[Q / 2 + 2], int chunk) {
        const float* line = row.probabilities + (long long)chunk * row.width * CHUNK;
        EACH_LANE(lane) {
            // Always 0. Did the compiler know, it would move the blank's emissions to registers that all lanes share,
            // and wait there for the loads that are meant to arrive later.
            from[0][lane] = line + (row.frames < 0 ? lane : 0);
            UNROLL for (int j = 1; j <= Q / 2; ++j) from[j][lane] = line + columns[j][lane] * CHUNK;
        }
    }
    CODE void advance(int cells) {
        EACH_LANE(lane) UNROLL for (int j = 0; j <= Q / 2; ++j) from[j][lane] += cells;
    }
    CODE void fetch(int half) {
        EACH_LANE(lane) {
            UNROLL for (int j = 0; j <= Q / 2; ++j) {
                float four[PERIOD];
                load_four(from[j][lane] + half * PERIOD, four);
                UNROLL for (int i = 0; i < PERIOD; ++i) value[j][half * PERIOD + i][lane] = four[i];
            }
        }
    }
};

// Emissions of a whole chunk for the labels of a lane, for who needs no other chunk.
template <int Q>
CODE void fetch_chunk(const TileRow& row, const Reg<int> (&columns)[Q / 2 + 2], int chunk,
                      Reg<float> (&value)[Q / 2 + 1][CHUNK]) {
    const float* line = row.probabilities + (long long)chunk * row.width * CHUNK;
    EACH_LANE(lane) UNROLL for (int j = 0; j <= Q / 2; ++j) {
        const int blank = row.frames < 0 ? lane : 0;    // always 0, which the compiler must not know, as above
        const float* from = line + (j ? columns[j][lane] : blank) * CHUNK;
        float eight[CHUNK];
        load_four(from, eight);
        load_four(from + 4, eight + 4);
        UNROLL for (int i = 0; i < CHUNK; ++i) value[j][i][lane] = eight[i];
    }
}

// Runs one chunk of frames, of which FULL says that all exist. `summed(i)` sees the states before the emissions of
// frame i of the chunk, `emitted(i)` after them, `moved(half)` the new exponents; `begun(half)` is called when two
// frames of a half are done. edge, record: [EDGE_WORDS].
template <bool FULL, int Q, bool BACKWARD, bool MANY, class Begun, class Summed, class Emitted, class Moved>
CODE void run_chunk(Chain<Q, BACKWARD, MANY>& chain, const Reg<float> (&emissions)[Q / 2 + 1][CHUNK], int frames,
                    const int* edge, int* record, Begun begun, Summed summed, Emitted emitted, Moved moved) {
    constexpr int EXIT = Chain<Q, BACKWARD, MANY>::EXIT;
    if (MANY)
        EACH_LANE(lane) if (lane == EXIT) record[EDGE_START] = chain.exponent[Q / TILE - 1][lane];
    UNROLL for (int step = 0; step < CHUNK; ++step) {
        const int i = BACKWARD ? CHUNK - 1 - step : step;
        if (MANY)
            EACH_LANE(lane) if (lane == EXIT) record[EDGE_STATE + step] = as_int(chain.state[Q - 1][lane]);
        if (FULL || i < frames) {
            chain.sum(MANY ? as_float(edge[EDGE_STATE + step]) : 0.0f);
            summed(i);
            chain.emit(emissions, i);
            emitted(i);
        }
        if (step % PERIOD == 1) begun(step / PERIOD);
        if (step % PERIOD == PERIOD - 1) {
            chain.move(edge, step / PERIOD, record);
            moved(step / PERIOD);
        }
    }
}
