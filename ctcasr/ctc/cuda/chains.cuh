// The recursion over a whole batch: both chains of each row, the loss, and the occupancies of each segment.
#pragma once
#include "frames.cuh"

constexpr int LAG = 8;                  // frames by which a warp of a chain stays behind the warp before it

CODE Pair* checkpoint(const Args& a, int q, int row, int direction, int slot) {
    return Scratch(a, row).checkpoints + ((long long)direction * a.slots + slot) * (q * 32 * a.warps);
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

// One direction of one row over all frames. Warps run the same chunk of frames one after the other (a wavefront), so
// that the edge of the warp before is always there and a barrier is due every LAG frames only.
template <int Q> CODE void chain_block(const Args& a, int index, int direction) {
    const Row row = view(a, index, direction);
    if (a.status[index] != FINE || row.frames == 0) return;
    const int warps = (row.states() + 32 * Q - 1) / (32 * Q), chunks = (row.frames + LAG - 1) / LAG;
    Pair* edges = Scratch(a, index).exact_edges + (long long)direction * a.frames * a.warps;
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

// Loss of a row whose probability is known; `health` is what its sums say.
CODE void settle_warp(const Args& a, int index, Pair total, float health) {
    const int frames = int(a.lengths[index]);
    float nll = 0.0f;
    int status = a.status[index];
    if (status == FINE && frames > 0) {
        Reg<double> levels;             // what normalize=False left out of the emissions
        EACH_LANE(lane) {
            levels[lane] = 0.0;
            if (!a.normalize)
                for (int t = lane; t < frames; t += 32) levels[lane] += a.norms[(long long)index * a.frames + t].m;
        }
        const double level = sum_all(levels) - (a.prior ? frames * a.prior[a.classes] : 0.0);
        nll = float(-(log2(double(total.m)) + total.e) * LN2 - level);
        if (total.e < HOPELESS) status = NO_PATH;
    }
    if (status == NO_PATH) nll = INFINITE;
    if (status == BAD_LABEL || status == NOT_FINITE) nll = NOT_A_NUMBER;
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
    const Pair* edges = Scratch(a, index).exact_edges - 1;
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
            float* line = cells_of(a, index, t / CHUNK) + t % CHUNK;
            EACH_LANE(lane) {
                if (lane == 0) {
                    line[0] = blank / sum;
                    max_atomic(reinterpret_cast<int*>(a.health + index), as_int(float(fabs(sum / z.m - 1.0f))));
                }
                for (int j = 1 + lane; j < *table.distinct; j += 32) {
                    float part = 0.0f;
                    for (int i = table.starts[j]; i < table.starts[j + 1]; ++i) {
                        const int s = 2 * table.order[i] + 1;
                        part += gamma[s % Q * stride + s / Q];
                    }
                    line[j * CHUNK] = part / sum;
                }
            }
        }
    }
}

// The whole row again, with an exponent for each state. m, e: as for occupancy_block.
template <int Q> CODE void exact_block(const Args& a, int index, int block_warps, float* m, int* e) {
    const int frames = int(a.lengths[index]);
    if (THREAD_INDEX == 0) a.status[index] = FINE;
    sort_block(a, index);
    EACH_WARP(warp, block_warps)
        for (int t = warp; t < frames; t += block_warps) emission_warp(a, index, t);
    BARRIER();
    chain_block<Q>(a, index, 0);
    BARRIER();
    chain_block<Q>(a, index, 1);
    BARRIER();
    EACH_WARP(warp, 1) {
        const Pair z = total<Q>(a, view(a, index, false), index), y = total<Q>(a, view(a, index, true), index);
        settle_warp(a, index, z, fabs(y.m / z.m * power_of_two(min(y.e - z.e, 127)) - 1.0f));
    }
    BARRIER();
    if (!a.grad) return;
    for (int segment = 0; segment * a.keep < frames; ++segment) {
        occupancy_block<Q>(a, index, segment, m, e);
        BARRIER();
    }
    EACH_WARP(warp, block_warps)
        for (int t = warp; t < frames; t += block_warps) gradient_warp(a, index, t);
}
