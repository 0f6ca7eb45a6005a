// The end of each row: its loss, and the exact road for a row that the fast one could not hold.
#pragma once
#include "chains.cuh"
#include "sweeps.cuh"

// A frame whose occupancies miss the row's probability by more has lost something besides rounding. Roundings of T
// frames grow as their root.
CODE float most_spread(int frames) { return 1e-5f + 1e-7f * sqrtf(float(frames)); }

template <int Q> CODE void finish_block(const Args& a, int index, int block_warps, float* m, int* e) {
    const int frames = int(a.lengths[index]);
    const bool sound = a.status[index] == FINE && frames > 0;
    float health = a.health[index];
    if (sound && !a.exact && !a.grad) {
        const Pair z = a.totals[index], y = forward_total(a, index);
        health = fabs(y.m / z.m * power_of_two(limited(y.e - z.e)) - 1.0f);
    }
    const bool fits = !a.exact && a.status[index] != FRAGILE && health <= most_spread(frames);
    const bool again = (sound || a.status[index] == FRAGILE) && !fits;
    BARRIER();
    if (again) {
        exact_block<Q>(a, index, block_warps, m, e);
    } else {
        EACH_WARP(warp, 1) settle_warp(a, index, sound ? a.totals[index] : Pair{1.0f, 0}, health);
    }
}
