// The CTC recursion of one warp, with neither exp nor log inside: a state is mantissa * 2^exponent.
//
// States 0, 2, 4, ... are blanks, states 1, 3, 5, ... labels. The backward chain is the forward recursion over the
// reversed labels and frames, so there is one recursion. A lane holds Q neighbouring states, a warp 32 * Q of them;
// the only value that crosses a lane (one shuffle per frame) or a warp (the edge) is the last state, a label.
#pragma once
#include "lanes.cuh"

constexpr int NOTHING = -(1 << 29);     // exponent of probability zero: 1 * 2^NOTHING, small beside everything real
constexpr int SILENT = -(1 << 28);      // exponent of an emission of probability zero
constexpr int HOPELESS = -(1 << 27);    // a total below 2^HOPELESS is zero: it holds a SILENT emission
constexpr int GROUP = 4;                // frames whose emissions are fetched together, one group ahead

struct alignas(8) Pair {                // a state, or an emission 2^f * 2^i of one frame and class
    float m;
    int e;
};

// 2^e for e <= 127; 2^-127 and less is 0.
CODE float power_of_two(int e) { return as_float((max(e, -127) + 127) << 23); }

// 2^q for q in [-1/2, 1/2]: all but the last operation lies below 0.42, so that the result is rounded almost once.
CODE float exp2_near_zero(float q) {
    float p = 1.5252734e-5f;
    p = fmaf(p, q, 1.5403530e-4f);
    p = fmaf(p, q, 1.3333558e-3f);
    p = fmaf(p, q, 9.6181291e-3f);
    p = fmaf(p, q, 5.5504109e-2f);
    p = fmaf(p, q, 2.4022651e-1f);
    p = fmaf(p, q, 6.9314718e-1f);
    return fmaf(p, q, 1.0f);
}

CODE Pair emission(double log2_probability) {
    if (!(log2_probability > SILENT)) return {1.0f, SILENT};
    const double whole = rint(log2_probability);
    return {exp2_near_zero(float(log2_probability - whole)), int(whole)};
}

// Multiplies by an emission and reads the new exponent from the bits.
CODE Pair emit(Pair sum, Pair y) {
    const int bits = as_int(sum.m * y.m);
    return {mantissa(bits), max(sum.e + y.e + (bits >> 23) - 127, NOTHING)};
}

CODE Pair add(Pair a, Pair b) {
    const int e = max(a.e, b.e);
    return {fmaf(a.m, power_of_two(a.e - e), b.m * power_of_two(b.e - e)), e};
}

CODE Pair add(Pair a, Pair b, Pair c) {
    const int e = max(max(a.e, b.e), c.e);
    return {fmaf(a.m, power_of_two(a.e - e), fmaf(b.m, power_of_two(b.e - e), c.m * power_of_two(c.e - e))), e};
}

struct Row {                            // one utterance, seen in the direction of a chain
    int frames, labels;                 // T, U
    const int* index;                   // [U] column of each label among the emissions; column 0 is the blank
    const Pair* emissions;              // [T, width]
    int width;
    bool backward;
    CODE int states() const { return 2 * labels + 1; }
    CODE int frame(int step) const { return backward ? frames - 1 - step : step; }
    CODE int column(int u) const { return index[backward ? labels - 1 - u : u]; }
};

template <int Q> struct Walk {
    Row row;
    int warp;
    int end;                            // no emission of this step or a later one is fetched
    Reg<Pair> state[Q];
    Reg<Pair> coming[GROUP][Q / 2 + 1]; // emissions of the next frames: blank, then the labels of the lane
    Reg<int> columns[Q / 2];
    Reg<bool> skip[Q / 2];              // whether the blank before this label may be left out

    // Places the walk before its first frame: a virtual state 0 with probability one.
    CODE void place(const Row& of, int as_warp) {
        row = of;
        warp = as_warp;
        end = row.frames;
        EACH_LANE(lane) {
            UNROLL for (int q = 0; q < Q; ++q) {
                const int s = (warp * 32 + lane) * Q + q;
                state[q][lane] = {1.0f, s ? NOTHING : 0};
                if (q & 1) {
                    const int u = s / 2;
                    columns[q / 2][lane] = u < row.labels ? row.column(u) : 0;
                    skip[q / 2][lane] = u > 0 && u < row.labels && row.column(u) != row.column(u - 1);
                }
            }
        }
    }

    // `line` holds one vector of states as [Q, 32 * warps of the block].
    CODE void load(const Pair* line, int stride) {
        EACH_LANE(lane) UNROLL for (int q = 0; q < Q; ++q) state[q][lane] = line[q * stride + warp * 32 + lane];
    }
    CODE void store(Pair* line, int stride) const {
        EACH_LANE(lane) UNROLL for (int q = 0; q < Q; ++q) line[q * stride + warp * 32 + lane] = state[q][lane];
    }

    CODE void fetch(int step) {
        UNROLL for (int i = 0; i < GROUP; ++i) {
            const int t = row.frame(min(step + i, end - 1));
            const Pair* line = row.emissions + (long long)t * row.width;
            EACH_LANE(lane) {
                coming[i][0][lane] = line[0];
                UNROLL for (int q = 0; q < Q / 2; ++q) coming[i][q + 1][lane] = line[columns[q][lane]];
            }
        }
    }

    // Sums what may flow into each state. `edge` is the last state of the warp before, one frame ago.
    CODE void mix(Pair edge) {
        Reg<float> m;
        Reg<int> e;
        EACH_LANE(lane) { m[lane] = state[Q - 1][lane].m; e[lane] = state[Q - 1][lane].e; }
        m = shift_up(m, 1);
        e = shift_up(e, 1);
        EACH_LANE(lane) {
            const Pair before = lane ? Pair{m[lane], e[lane]} : edge;
            UNROLL for (int q = Q - 1; q >= 0; --q) {
                const Pair one = q ? state[q - 1][lane] : before;
                if (q & 1) {
                    Pair two = q > 1 ? state[q - 2][lane] : before;
                    if (!skip[q / 2][lane]) two.e = NOTHING;
                    state[q][lane] = add(state[q][lane], one, two);
                } else {
                    state[q][lane] = add(state[q][lane], one);
                }
            }
        }
    }

    // Runs the steps first <= step < last, at most 32 of them, all of whose edges are known; `fetch(first)` was called.
    // edges[step - 1] is the entry of the warp before, `edge_stride` apart. summed(step) sees the states before the
    // frame's emissions, emitted(step) after them.
    template <class Summed, class Emitted>
    CODE void run(int first, int last, const Pair* edges, int edge_stride, Summed summed, Emitted emitted) {
        Reg<float> edge_m;
        Reg<int> edge_e;
        EACH_LANE(lane) {
            const int step = first + lane;
            const bool known = warp > 0 && step > 0 && step < last;
            const Pair edge = known ? edges[(step - 1) * edge_stride] : Pair{1.0f, NOTHING};
            edge_m[lane] = edge.m;
            edge_e[lane] = edge.e;
        }
        for (int start = first; start < last; start += GROUP) {
            Reg<Pair> now[GROUP][Q / 2 + 1];
            UNROLL for (int i = 0; i < GROUP; ++i)
                UNROLL for (int q = 0; q <= Q / 2; ++q) now[i][q] = coming[i][q];
            fetch(start + GROUP);
            UNROLL for (int i = 0; i < GROUP; ++i) {
                const int step = start + i;
                if (step < last) {
                    mix({broadcast(edge_m, step - first), broadcast(edge_e, step - first)});
                    summed(step);
                    EACH_LANE(lane) UNROLL for (int q = 0; q < Q; ++q)
                        state[q][lane] = emit(state[q][lane], now[i][q & 1 ? q / 2 + 1 : 0][lane]);
                    emitted(step);
                }
            }
        }
    }
};
