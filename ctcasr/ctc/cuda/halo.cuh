// The recursion of a row that one warp holds: between two moves of the exponents no lane asks another.
//
// In PERIOD frames a state is reached from no more than HALO states before it. So each lane takes a copy of those from
// the lanes before, in the exponent of its own first tile, and carries the copy on beside its states as far as these
// need it: six states over the first frame, four, two and none. That is a fifth to a half more sums, and spares a
// shuffle in each frame, which takes longer than all sums of the frame.
#pragma once
#include "tiles.cuh"

constexpr int HALO = 2 * PERIOD;        // states, of two tiles
constexpr int HALO_TILES = HALO / TILE;
constexpr int HALO_LABELS = HALO / 2;   // the first of them is only read, before its own emission: it has no row

template <int Q, bool BACKWARD> struct HaloChain {
    static constexpr int TILES = Q / TILE, LABELS = Q / 2, ROWS = HALO_LABELS - 1 + LABELS;
    Reg<float> state[Q];                // along the chain
    Reg<float> outer;                   // backward only: the blank before the lane's first label
    Reg<int> exponent[TILES];
    Reg<float> bridge[TILES];           // from the tile before; that of the first tile is the halo's, which needs none
    Reg<float> skip[LABELS];            // 1 where the blank before this label may be left out
    Reg<float> halo[HALO];              // the states before the lane's own
    Reg<float> halo_skip[HALO_LABELS];

    // Position of the lane's label `at` along the chain; those of its halo are the negative ones.
    CODE static int position(int lane, int at) { return lane * LABELS + (BACKWARD ? LABELS - 1 - at : at); }

    // Lanes and tiles from which a tile of the halo comes.
    CODE static int lanes_before(int tile) { return TILES == 1 ? HALO_TILES - tile : 1; }
    CODE static int source(int tile) { return TILES == 1 ? 0 : TILES - HALO_TILES + tile; }
    CODE static bool is_there(int lane, int tile) {
        return BACKWARD ? lane + lanes_before(tile) < 32 : lane >= lanes_before(tile);
    }

    // Columns of the labels of the halo and of the lane, along the chain.
    CODE static void find_columns(const TileRow& row, Reg<int> (&columns)[HALO_LABELS + LABELS]) {
        EACH_LANE(lane) UNROLL for (int j = 0; j < HALO_LABELS + LABELS; ++j) {
            const int u = position(lane, j - HALO_LABELS);
            columns[j][lane] = u >= 0 && u < row.labels ? row.index[u] : 0;
        }
    }

    // Places the chain before its first frame: one virtual state with probability one.
    CODE void place(int labels, const Reg<int> (&columns)[HALO_LABELS + LABELS]) {
        EACH_LANE(lane) {
            UNROLL for (int j = 1; j < HALO_LABELS + LABELS; ++j) {
                const int u = position(lane, j - HALO_LABELS), before = BACKWARD ? u + 1 : u - 1;
                const bool inside = u >= 0 && u < labels && before >= 0 && before < labels;
                const float may = inside && columns[j][lane] != columns[j - 1][lane] ? 1.0f : 0.0f;
                if (j < HALO_LABELS) halo_skip[j][lane] = may;
                else skip[j - HALO_LABELS][lane] = may;
            }
            UNROLL for (int j = 0; j < LABELS; ++j) {
                state[2 * j][lane] = position(lane, j) == (BACKWARD ? labels - 1 : 0) ? 1.0f : 0.0f;
                state[2 * j + 1][lane] = 0.0f;
            }
            outer[lane] = BACKWARD && lane * LABELS == labels ? 1.0f : 0.0f;
            UNROLL for (int i = 0; i < TILES; ++i) exponent[i][lane] = 0;
        }
    }

    // A mark, as Chain::store writes it.
    CODE void store(float* mark, int stride) const {
        EACH_LANE(lane) {
            UNROLL for (int q = 0; q < Q; ++q) mark[q * stride + lane] = state[q][lane];
            mark[Q * stride + lane] = outer[lane];
            UNROLL for (int i = 0; i < TILES; ++i) mark[(Q + 1 + i) * stride + lane] = as_float(exponent[i][lane]);
        }
    }

    template <class T> CODE static Reg<T> along(const Reg<T>& x, int lanes) {
        return BACKWARD ? shift_down(x, lanes) : shift_up(x, lanes);
    }

    // Exponent of the largest of a tile's states.
    CODE static int top(float most, int of) { return most > 0.0f ? of + (as_int(most) >> 23) - 127 : EMPTY; }

    // Fetches the halo and moves the exponents: what a tile holds, and what may reach it until the next time, comes to
    // 2^TOP.
    CODE void exchange() {
        Reg<int> level[HALO_TILES];
        UNROLL for (int tile = 0; tile < HALO_TILES; ++tile) {
            level[tile] = along(exponent[source(tile)], lanes_before(tile));
            UNROLL for (int q = 0; q < TILE; ++q)
                halo[tile * TILE + q] = along(state[source(tile) * TILE + q], lanes_before(tile));
        }
        EACH_LANE(lane) {
            int tops[HALO_TILES + TILES], next[TILES];
            UNROLL for (int tile = 0; tile < HALO_TILES; ++tile) {
                float most = 0.0f;
                UNROLL for (int q = 0; q < TILE; ++q) most = fmaxf(most, halo[tile * TILE + q][lane]);
                tops[tile] = is_there(lane, tile) ? top(most, level[tile][lane]) : EMPTY;
            }
            UNROLL for (int i = 0; i < TILES; ++i) {
                float most = BACKWARD && i == TILES - 1 ? outer[lane] : 0.0f;
                UNROLL for (int q = 0; q < TILE; ++q) most = fmaxf(most, state[i * TILE + q][lane]);
                tops[HALO_TILES + i] = top(most, exponent[i][lane]);
            }
            UNROLL for (int i = 0; i < TILES; ++i)
                next[i] = max(max(tops[i], max(tops[i + 1], tops[i + 2])) - TOP, EMPTY);
            UNROLL for (int tile = 0; tile < HALO_TILES; ++tile) {
                const float scale = is_there(lane, tile) ? power_of_two(limited(level[tile][lane] - next[0])) : 0.0f;
                UNROLL for (int q = 0; q < TILE; ++q) halo[tile * TILE + q][lane] *= scale;
            }
            UNROLL for (int i = 0; i < TILES; ++i) {
                const float scale = power_of_two(limited(exponent[i][lane] - next[i]));
                UNROLL for (int q = 0; q < TILE; ++q) state[i * TILE + q][lane] *= scale;
                if (BACKWARD && i == TILES - 1) outer[lane] *= scale;
                exponent[i][lane] = next[i];
                bridge[i][lane] = i ? power_of_two(limited(next[i > 0 ? i - 1 : 0] - next[i])) : 1.0f;
            }
        }
    }

    // Sums what may flow into each state of a tile. `from` is the state before its first.
    CODE static void sum_tile(Reg<float>* tile, const Reg<float>* skips, float from, int lane) {
        tile[3][lane] = fmaf(skips[1][lane], tile[1][lane], tile[3][lane] + tile[2][lane]);
        tile[2][lane] = tile[2][lane] + tile[1][lane];
        tile[1][lane] = fmaf(skips[0][lane], from, tile[1][lane] + tile[0][lane]);
        tile[0][lane] = tile[0][lane] + from;
    }

    // Frame `i` of the chunk, the `since`-th since the exchange: sums, then the product with its emissions. Rows of
    // emissions: the blank, the labels of the halo but the first, those of the lane, along the chain.
    CODE void step(const Reg<float> (&emissions)[ROWS + 1][CHUNK], int since, int i) {
        const int first = 2 * (since + 1);              // of the halo that is still needed
        EACH_LANE(lane) {
            if (BACKWARD) outer[lane] += state[Q - 1][lane];
            UNROLL for (int tile = TILES - 1; tile >= 0; --tile) {
                const float before = tile ? state[tile > 0 ? tile * TILE - 1 : 0][lane] : halo[HALO - 1][lane];
                const float from = tile ? before * bridge[tile][lane] : before;
                sum_tile(state + tile * TILE, skip + 2 * tile, from, lane);
            }
            UNROLL for (int h = HALO - 1; h > 1; --h) {
                if (h < first) continue;
                const float moved = halo[h][lane] + halo[h - 1][lane];
                halo[h][lane] = h % 2 ? fmaf(halo_skip[h / 2][lane], halo[h - 2][lane], moved) : moved;
            }
            const float blank = emissions[0][i][lane];
            if (BACKWARD) outer[lane] *= blank;
            UNROLL for (int h = 2; h < HALO; ++h)
                if (h >= first) halo[h][lane] *= h % 2 ? emissions[h / 2][i][lane] : blank;
            UNROLL for (int j = 0; j < LABELS; ++j) {
                state[2 * j][lane] *= blank;
                state[2 * j + 1][lane] *= emissions[HALO_LABELS + j][i][lane];
            }
        }
    }

    // Runs one chunk of frames, of which FULL says that all exist; its first exchange was made. `begun(half)` is called
    // when two frames of a half are done.
    template <bool FULL, class Begun>
    CODE void run(const Reg<float> (&emissions)[ROWS + 1][CHUNK], int frames, Begun begun) {
        UNROLL for (int at = 0; at < CHUNK; ++at) {
            const int since = at % PERIOD, i = BACKWARD ? CHUNK - 1 - at : at;
            if (at == PERIOD) exchange();
            if (FULL || i < frames) step(emissions, since, i);
            if (since == 1) begun(at / PERIOD);
        }
    }
};
