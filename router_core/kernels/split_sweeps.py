"""Sweeps over pairs that move shares from dear paths to cheap ones: the inner loops of the split solvers.

Both solvers minimise a sum of convex functions of the stations' utilisation plus a cost of paths, pair by pair (Gauss
and Seidel): every station has a price, and for each pair that gains enough a shift between two paths makes their
prices equal. Between sweeps all pairs are priced at the same prices, which bounds the optimum by duality.

Indices are unsigned where they are read in the innermost loops: numba then leaves out the step for negative ones, a
fifth of the time.

All of it is one file, as numba's cache would not notice a change of what is called from another.

Names of sizes: R components of demand, M matrices, D pairs, P paths, S stations, K visits of paths to stations.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Sharpness of the exponential prices, in units of 1 / peak: from blunt to as sharp as the gap asks.
SHARPNESS_FIRST = 50.0
SHARPNESS_GROWTH = 3.0
# Part of the wanted gap that may stay unbalanced over all pairs together without a shift.
UNBALANCED = 0.25
# And pairs that could gain less than this part of what pairs gained on average, a sweep ago, wait for their turn.
MINOR = 0.15
# Part of the wanted gap that the stations of low price may cost the bound, all together: they count as free.
FREE = 1e-3
# Sweeps at one sharpness after which shifts gain momentum. Where many pairs share tight stations, as in sets of
# matrices, sweeps alone crawl: a set of 24 that stood at a gap of 3 % after 800 sweeps takes 170 to 1 %.
MOMENTUM_AFTER = 5
# Sweeps without a hundredth of the distance gained: prices then get sharper if they are blunt; the end.
PATIENCE = 30
STALLED = 300
# Newton's steps, and with halvings, after which a shift is given up.
NEWTON, TRIALS = 8, 60
# Keeps logarithms and quotients of prices finite where they vanish.
TINY = 1e-300
# What is left of a sum after subtracting nearly all of it is rounding below this part.
CANCELLED = 1e-9
# A shift is good enough when it leaves this part of the distance between two prices, in logarithms, and does not leave
# the path that gains dearer than the other by more than the second figure.
NEAR = 0.1
OVERSHOOT = 0.1


@njit(cache=True)
def fill_load(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    shares: NDArray[np.float64],
    load: NDArray[np.float64],
) -> None:
    """Write the utilisation that shares (P,) cause, load (M, S), by unit_load (R, S) and demand (M, R, D)."""
    flow = np.empty(load.shape[1])
    load[:] = 0.0
    for m in range(len(demand)):
        for r in range(len(unit_load)):
            flow[:] = 0.0
            for pair in range(len(pair_start) - 1):
                for path in range(pair_start[pair], pair_start[pair + 1]):
                    amount = shares[path] * demand[m, r, pair]
                    if amount > 0.0:
                        for k in range(path_start[path], path_start[path + 1]):
                            flow[path_station[k]] += amount
            for s in range(len(flow)):
                load[m, s] += flow[s] * unit_load[r, s]


@njit(cache=True)
def make_whole(pair_start: NDArray[np.int64], otherwise: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Scale each pair's shares (P,) to sum to one, or copy them from `otherwise` where there are none."""
    for pair in range(len(pair_start) - 1):
        first, last = pair_start[pair], pair_start[pair + 1]
        total = 0.0
        for path in range(first, last):
            total += shares[path]
        for path in range(first, last):
            shares[path] = shares[path] / total if total > 0.0 else otherwise[path]


@njit(cache=True)
def wrong_shares(pair_start: NDArray[np.int64], shares: NDArray[np.float64], tolerance: float) -> int:
    """Return the first pair with a share that is negative or no number, or whose sum is neither 0 nor 1; or -1."""
    for pair in range(len(pair_start) - 1):
        total = 0.0
        for path in range(pair_start[pair], pair_start[pair + 1]):
            if not shares[path] >= 0.0:
                return pair
            total += shares[path]
        if total != 0.0 and not abs(total - 1.0) <= tolerance:
            return pair
    return -1


@njit(cache=True)
def _fees(pair_start, start, stay, shares):  # type: ignore[no-untyped-def]
    """What is due for all that has left its start."""
    fees = 0.0
    for pair in range(len(stay)):
        for path in range(pair_start[pair], pair_start[pair + 1]):
            fees += stay[pair] * max(start[path] - shares[path], 0.0)
    return fees


@njit(cache=True)
def delay_terms(  # type: ignore[no-untyped-def]
    u: float, linear: float, queue: float, power: float, bend: float
):
    """Return (value, slope, curvature) of one station at utilisation `u` >= 0; `power` >= 2, 0 < `bend` < 1."""
    at = min(u, bend)
    low = at ** (power - 2.0)
    left = 1.0 / (1.0 - at)
    # u**power / (1 - u) and its derivatives share their factors, so one power is enough.
    wait = queue * low * left
    value = linear * at + wait * at * at
    slope = linear + wait * at * (power + at * left)
    curvature = wait * (power * (power - 1.0) + 2.0 * at * left * (power + at * left))
    over = u - at
    if over > 0.0:
        value += over * (slope + 0.5 * over * curvature)
        slope += over * curvature
    return value, slope, curvature


@njit(cache=True)
def station_delays(
    u: NDArray[np.float64],
    linear: NDArray[np.float64],
    queue: NDArray[np.float64],
    power: NDArray[np.float64],
    bend: NDArray[np.float64],
    value: NDArray[np.float64],
    slope: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> None:
    """Fill `value`, `slope` and `curvature` (S,) of every station at utilisations `u` (S,)."""
    for station in range(len(u)):
        value[station], slope[station], curvature[station] = delay_terms(
            u[station], linear[station], queue[station], power[station], bend[station]
        )


@njit(cache=True)
def _delay(u, curve, station):  # type: ignore[no-untyped-def]
    return delay_terms(u, curve[0, station], curve[1, station], curve[2, station], curve[3, station])


@njit(cache=True)
def _price_pairs(  # type: ignore[no-untyped-def]
    pair_start, path_pair, station_start, station_path, unit_load, demand,
    weight, extra, scale, start, stay, fee_scale, shares, price, factor, free, least, cost, listed,
):  # fmt: skip
    """Price every pair at fixed prices of the stations; those up to `free` count as nothing.

    Returns the sum over pairs of the least priced use (without `extra`; with `stay` of the better of staying and
    leaving), the sum of what moving could gain (with it), and how many pairs could gain more than `least`: `listed`.
    """
    cost[:] = 0.0
    for m in range(len(price)):
        for station in range(price.shape[1]):
            if factor[m] * price[m, station] > free:
                for r in range(len(unit_load)):
                    priced = factor[m] * price[m, station] * unit_load[r, station]
                    if priced > 0.0:
                        for place in range(station_start[station], station_start[station + 1]):
                            path = station_path[place]
                            cost[path] += priced * demand[m, r, path_pair[path]]
    bound, gain, count = 0.0, 0.0, 0
    held = len(stay) > 0
    for pair in range(len(pair_start) - 1):
        first, last = pair_start[pair], pair_start[pair + 1]
        if first == last:
            continue
        factor = scale * weight[pair]
        cheapest, cheapest_cost, total = np.inf, np.inf, 0.0
        for path in range(first, last):
            priced = cost[path] + factor * extra[path]
            cheapest = min(cheapest, cost[path])
            cheapest_cost = min(cheapest_cost, priced)
            total += shares[path] * priced
        if held:
            fee = stay[pair] * fee_scale
            bounded, best, moving = 0.0, 0.0, 1.0
            for path in range(first, last):
                bounded += start[path] * min(cost[path], cheapest + fee)
                best += start[path] * min(cost[path] + factor * extra[path], cheapest_cost + fee)
                total += fee * max(start[path] - shares[path], 0.0)
                moving -= start[path]
            cheapest, cheapest_cost = bounded + moving * cheapest, best + moving * cheapest_cost
        bound += cheapest
        gain += total - cheapest_cost
        if total - cheapest_cost > least:
            listed[count] = pair
            count += 1
    return bound, gain, count


@njit(cache=True)
def _path_price(path, pair, path_start, path_station, unit_load, demand, price, factor):  # type: ignore[no-untyped-def]
    """What all of a pair's demand would pay for the stations of a path."""
    total = 0.0
    for m in range(len(demand)):
        for r in range(len(unit_load)):
            priced = 0.0
            for k in range(path_start[path], path_start[path + 1]):
                priced += price[m, path_station[k]] * unit_load[r, path_station[k]]
            total += factor[m] * priced * demand[m, r, pair]
    return total


@njit(cache=True)
def _difference(path, to, path_start, path_station, visits, station, times):  # type: ignore[no-untyped-def]
    """List the stations that one of two paths visits more often than the other; return how many lose, and all.

    Those that lose visits come first; `times` says how many, as a path of the platform may pass a node's station twice.
    """
    for k in range(path_start[to], path_start[to + 1]):
        visits[path_station[k]] += 1
    for k in range(path_start[path], path_start[path + 1]):
        visits[path_station[k]] -= 1
    size = 0
    for k in range(path_start[path], path_start[path + 1]):
        s = path_station[k]
        if visits[s] < 0:
            station[size], times[size] = s, -visits[s]
            visits[s] = 0
            size += 1
    lose = size
    for k in range(path_start[to], path_start[to + 1]):
        s = path_station[k]
        if visits[s] > 0:
            station[size], times[size] = s, visits[s]
            visits[s] = 0
            size += 1
    return lose, size


@njit(cache=True)
def _shift_pairs(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop nest
    pair_start, path_start, path_station, unit_load, demand, weight, extra, scale, start, stay, fee_scale,
    shares, price, load, chance, whole, factor, sharpness, reference, curve, least,
    cost, listed, count, visits, station, times, amount, trial,
):  # fmt: skip
    """Equalise the paths of the listed pairs, one pair after the other, at prices that follow each shift.

    A station's price is the slope of its `curve`, or without curves ``exp(sharpness[m] * (load - reference[m]))``. With
    chances those of a matrix, which sum to `whole`, are worth their chance together: `factor`, which a shift changes.
    """
    held = len(stay) > 0
    exponential, average = curve.shape[1] == 0, len(chance) > 0
    changed = np.empty(len(demand))
    for place in range(count):
        pair = listed[place]
        first, last = pair_start[pair], pair_start[pair + 1]
        fee = stay[pair] * fee_scale if held else 0.0
        linear = scale * weight[pair]
        to, cheapest = first, np.inf
        for path in range(first, last):
            cost[path] = _path_price(path, pair, path_start, path_station, unit_load, demand, price, factor)
            priced = cost[path] + linear * extra[path]
            if held and shares[path] >= start[path]:
                priced += fee
            if priced < cheapest:
                to, cheapest = path, priced
        for path in range(first, last):
            if path == to or shares[path] <= 0.0:
                continue
            most = shares[path]
            leaving, arriving = linear * extra[path], linear * extra[to]
            if held:
                # The fee is due for what leaves its start; where that begins the cost has a kink, and a shift stops.
                if shares[path] > start[path]:
                    leaving += fee
                    most = min(most, shares[path] - start[path])
                if shares[to] >= start[to]:
                    arriving += fee
                else:
                    most = min(most, start[to] - shares[to])
            if most * (cost[path] + leaving - cheapest) <= least:
                continue
            lose, size = _difference(path, to, path_start, path_station, visits, station, times)
            for m in range(len(demand)):
                for j in range(size):
                    amount[m, j] = 0.0
                    for r in range(len(unit_load)):
                        amount[m, j] += times[j] * demand[m, r, pair] * unit_load[r, station[j]]
            # Newton's method on the ratio of the two prices, in logarithms, as exponential prices make that nearly
            # linear; where it is not, between what was too little and what was too much.
            shift, low, high, done = 0.0, 0.0, np.inf, False
            near, over, cheap, cheap_before = 0.0, 0.0, 0.0, 0.0
            for attempt in range(TRIALS):
                dear, dear_slope, cheap, cheap_slope = leaving + TINY, 0.0, arriving + TINY, 0.0
                for m in range(len(demand)):
                    lost, lost_slope, won, won_slope, change = 0.0, 0.0, 0.0, 0.0, 0.0
                    for j in range(size):
                        s = station[j]
                        used = amount[m, j]
                        moved = -shift * used if j < lose else shift * used
                        if not exponential:
                            _, priced, slope = _delay(load[m, s] + moved, curve, s)
                        else:
                            priced = price[m, s]
                            if attempt > 0:
                                priced = exp(sharpness[m] * (load[m, s] + moved - reference[m]))
                            slope = sharpness[m] * priced
                        trial[m, j] = priced
                        if j < lose:
                            lost += priced * used
                            lost_slope += slope * used * used
                        else:
                            won += priced * used
                            won_slope += slope * used * used
                        change += priced - price[m, s]
                    worth = factor[m]
                    if average:
                        changed[m] = max(whole[m] + change, 0.1 * CANCELLED * whole[m], TINY)
                        worth = chance[m] / changed[m]
                    dear += worth * lost
                    dear_slope += worth * lost_slope
                    cheap += worth * won
                    cheap_slope += worth * won_slope
                ratio = log(dear / cheap)
                if attempt == 0:
                    if ratio <= 0.0:
                        break
                    near, cheap_before = NEAR * ratio, cheap
                    over = min(near, OVERSHOOT)
                elif ratio >= -over and (ratio <= near or shift == most):
                    done = True
                    break
                elif ratio > 0.0:
                    low = shift
                else:
                    high = shift
                # The slope leaves out that prices of a matrix are worth less the more they sum to: so steps are short
                # rather than long there, and double while they are too short.
                slope = dear_slope / dear + cheap_slope / cheap
                step = ratio / slope if slope * most > 1e-12 * abs(ratio) else most
                shift += max(step, shift) if high == np.inf else step
                if shift <= low or shift >= high or attempt >= NEWTON:
                    shift = 0.5 * (low + high)
                shift = min(shift, most)
            if not done:
                continue
            if shift == shares[path]:
                shares[to] += shift
                shares[path] = 0.0
            else:
                shares[path] -= shift
                shares[to] += shift
            for m in range(len(demand)):
                for j in range(size):
                    used = shift * amount[m, j]
                    load[m, station[j]] += -used if j < lose else used
                    price[m, station[j]] = trial[m, j]
                if average:
                    before = whole[m]
                    whole[m] = changed[m]
                    if whole[m] < CANCELLED * before:
                        whole[m] = max(price[m].sum(), TINY)
                    factor[m] = chance[m] / whole[m]
            cost[to] += cheap - cheap_before
            cheapest = cost[to] + linear * extra[to]
            if held and shares[to] >= start[to]:
                cheapest += fee


@njit(cache=True)
def _sharpen(sharpness, load, reference, chance, sharp, price, whole, factor):  # type: ignore[no-untyped-def]
    """Set the exponential prices (M, S), what those of a matrix sum to, and by which factor they count."""
    for m in range(len(price)):
        sharp[m] = sharpness / (reference[m] if reference[m] > 0.0 else 1.0)
        whole[m] = 0.0
        for s in range(price.shape[1]):
            price[m, s] = exp(sharp[m] * (load[m, s] - reference[m]))
            whole[m] += price[m, s]
        if len(chance) > 0:
            factor[m] = chance[m] / whole[m]


@njit(cache=True)
def _go_on(steady, pair_start, last, best, shares):  # type: ignore[no-untyped-def]
    """Move shares on by a part of their last move (Nesterov) once sweeps are steady; say whether they are."""
    moving = steady - MOMENTUM_AFTER
    part = moving / (moving + 3.0) if moving > 0 else 0.0
    for path in range(len(shares)):
        now = shares[path]
        if moving > 0:
            shares[path] = max(now + part * (now - last[path]), 0.0)
        last[path] = now
    if moving > 0:
        make_whole(pair_start, best, shares)
    return moving > 0


@njit(cache=True)
def peak_sweeps(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    path_pair: NDArray[np.uint32],
    station_start: NDArray[np.uint64],
    station_path: NDArray[np.uint32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    chance: NDArray[np.float64],
    weight: NDArray[np.float64],
    extra: NDArray[np.float64],
    tie: float,
    start: NDArray[np.float64],
    stay: NDArray[np.float64],
    gap: float,
    sweeps_max: int,
    shares: NDArray[np.float64],
):
    """Minimise the peak utilisation; indices are the caller's to check.

    The stations' prices are exponential in utilisation (a soft maximum): at the prices of its minimum every pair uses
    cheapest paths only, so the bound is as far below the peak as the soft maximum is blunt. Prices get sharper once
    that, and no longer the imbalance between paths, is what keeps the two apart.

    Parameters
    ----------
    path_pair : uint32 (P,)
        Pair of each path.
    station_start, station_path : uint64 (S + 1,), uint32 (K,)
        The paths that visit each station, once for each visit.
    unit_load : float64 (R, S)
        Utilisation by one unit of each component, finite.
    demand : float64 (M, R, D)
    chance : float64 (M,) or (0,)
        Weights of the matrices in the mean of their peaks, which sum to one; none to minimise the worst peak.
    weight : float64 (D,), extra : float64 (P,), tie : float
        Ties are broken by ``tie * weight * extra``, as a share of the peak.
    start : float64 (P,)
        Shares that `stay` compares with; not read where `stay` is empty.
    stay : float64 (D,) or (0,)
        Fee, in utilisation, for moving all of a pair's traffic away from its `start`.
    gap : float
        Stop when peak and fees are within this share of their bound.
    shares : float64 (P,), written
        Where to begin, of sum one where there is a path; then the best shares found.

    Returns
    -------
    peak, fees, bound, sweeps : float, float, float, int
        `bound` is below peak + fees of every other split.
    """
    matrices, stations, pairs, paths = len(demand), unit_load.shape[1], len(pair_start) - 1, len(shares)
    average = len(chance) > 0
    load, price = np.zeros((matrices, stations)), np.zeros((matrices, stations))
    cost, listed = np.empty(paths), np.empty(pairs, np.int64)
    size = 2 * int(np.diff(path_start).max()) if paths > 0 else 0
    visits, station, times = np.zeros(stations, np.int32), np.empty(size, np.int64), np.empty(size, np.int64)
    amount, trial = np.empty((matrices, size)), np.empty((matrices, size))
    curve = np.empty((0, 0))
    peak, whole, factor = np.empty(matrices), np.empty(matrices), np.ones(matrices)
    sharp, reference = np.empty(matrices), np.empty(matrices)
    best_shares, last_shares = shares.copy(), shares.copy()
    fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    best, best_bound, sharpness, tie_part, idle, sweep = np.inf, 0.0, SHARPNESS_FIRST, 1.0, 0, 0
    steady, last_potential, last_gain = 0, np.inf, 0.0
    while True:
        for m in range(matrices):
            peak[m] = load[m].max() if stations > 0 else 0.0
        objective = (chance * peak).sum() if average else peak.max()
        fees = _fees(pair_start, start, stay, shares)
        before = best - best_bound
        if objective + fees < best:
            best = objective + fees
            best_shares[:] = shares
        if objective <= 0.0:
            break
        for m in range(matrices):
            reference[m] = peak[m] if average else objective
        _sharpen(sharpness, load, reference, chance, sharp, price, whole, factor)
        total, mean, potential = 0.0, 0.0, 0.0
        for m in range(matrices):
            total += factor[m] * whole[m]
            if average and chance[m] > 0.0:
                potential += chance[m] * (reference[m] + log(whole[m]) / sharp[m])
            for s in range(stations):
                mean += factor[m] * price[m, s] * load[m, s]
        if not average:
            potential = objective + log(total) / sharp[0]
        # Prices sum to `total` here, and to one in the bound.
        soft = mean / total
        scale = tie * tie_part * best * total
        least = max(UNBALANCED * gap * best, MINOR * last_gain) * total / (pairs * (1 + idle))
        free = FREE * gap * total / (matrices * stations)
        bound, gain, count = _price_pairs(
            pair_start, path_pair, station_start, station_path, unit_load, demand,
            weight, extra, scale, start, stay, total, shares, price, factor, free, least, cost, listed,
        )  # fmt: skip
        bound, gain = bound / total, gain / total
        last_gain = gain
        best_bound = max(best_bound, bound)
        if best - best_bound <= gap * best or sweep >= sweeps_max or idle > STALLED:
            break
        idle = idle + 1 if best - best_bound > 0.99 * before else 0
        if idle % PATIENCE == PATIENCE - 1:
            # From the best once more, without momentum, which may swing to and fro where prices are sharp.
            shares[:] = best_shares
            fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
            steady, last_potential = 0, np.inf
            sweep += 1
            continue
        blunt, imbalance = objective - soft, soft + fees - bound
        if imbalance > 0.25 * gap * best and gain < 0.5 * imbalance:
            tie_part *= 0.25  # ties hold traffic where the peak would have it move
        elif blunt > 0.5 * imbalance or (idle > 0 and idle % PATIENCE == 0 and blunt > 0.1 * (best - best_bound)):
            sharpness *= SHARPNESS_GROWTH
            steady, last_potential = 0, np.inf
            _sharpen(sharpness, load, reference, chance, sharp, price, whole, factor)
        _shift_pairs(
            pair_start, path_start, path_station, unit_load, demand, weight, extra, scale, start, stay, total,
            shares, price, load, chance, whole, factor, sharp, reference, curve, 0.25 * least,
            cost, listed, count, visits, station, times, amount, trial,
        )  # fmt: skip
        sweep += 1
        steady = steady + 1 if potential + fees <= last_potential else min(steady, MOMENTUM_AFTER + 1)
        last_potential = potential + fees
        if _go_on(steady, pair_start, last_shares, best_shares, shares):
            fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    shares[:] = best_shares
    make_whole(pair_start, best_shares, shares)
    fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    for m in range(matrices):
        peak[m] = load[m].max() if stations > 0 else 0.0
    objective = (chance * peak).sum() if average else peak.max()
    fees = _fees(pair_start, start, stay, shares)
    return objective, fees, min(best_bound, objective + fees), sweep


@njit(cache=True)
def _delays(load, curve):  # type: ignore[no-untyped-def]
    """Cost of all stations."""
    total = 0.0
    for s in range(load.shape[1]):
        total += _delay(load[0, s], curve, s)[0]
    return total


@njit(cache=True)
def delay_sweeps(  # type: ignore[no-untyped-def]
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    path_pair: NDArray[np.uint32],
    station_start: NDArray[np.uint64],
    station_path: NDArray[np.uint32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    curve: NDArray[np.float64],
    start: NDArray[np.float64],
    stay: NDArray[np.float64],
    gap: float,
    sweeps_max: int,
    shares: NDArray[np.float64],
):
    """Minimise the sum of the stations' convex costs; indices are the caller's to check.

    Parameters
    ----------
    demand : float64 (1, R, D)
    curve : float64 (4, S)
        `linear`, `queue`, `power` and `bend` of each station's cost (`router_core.delay_cost`).
    others
        As in `peak_sweeps`.

    Returns
    -------
    cost, fees, bound, sweeps : float, float, float, int
    """
    stations, pairs, paths = unit_load.shape[1], len(pair_start) - 1, len(shares)
    load, price = np.zeros((1, stations)), np.zeros((1, stations))
    cost, listed = np.empty(paths), np.empty(pairs, np.int64)
    size = 2 * int(np.diff(path_start).max()) if paths > 0 else 0
    visits, station, times = np.zeros(stations, np.int32), np.empty(size, np.int64), np.empty(size, np.int64)
    amount, trial = np.empty((1, size)), np.empty((1, size))
    none, one, no_weight, no_extra = np.empty(0), np.ones(1), np.zeros(pairs), np.zeros(paths)
    best_shares, last_shares = shares.copy(), shares.copy()
    fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    best, best_bound, sweep, steady, last_value = np.inf, 0.0, 0, 0, np.inf
    while True:
        value = _delays(load, curve)
        fees = _fees(pair_start, start, stay, shares)
        for s in range(stations):
            _, price[0, s], _ = _delay(load[0, s], curve, s)
        if value + fees < best:
            best = value + fees
            best_shares[:] = shares
        least = UNBALANCED * gap * best / max(pairs, 1)
        _, gain, count = _price_pairs(
            pair_start, path_pair, station_start, station_path, unit_load, demand,
            no_weight, no_extra, 0.0, start, stay, 1.0, shares, price, one, 0.0, least, cost, listed,
        )  # fmt: skip
        # The cost is convex: no shares are better than these by more than moving at fixed prices would gain.
        best_bound = max(best_bound, value + fees - gain)
        if best - best_bound <= gap * best or sweep >= sweeps_max:
            break
        _shift_pairs(
            pair_start, path_start, path_station, unit_load, demand, no_weight, no_extra, 0.0, start, stay, 1.0,
            shares, price, load, none, none, one, none, none, curve, 0.25 * least,
            cost, listed, count, visits, station, times, amount, trial,
        )  # fmt: skip
        sweep += 1
        steady = steady + 1 if value + fees <= last_value else min(steady, MOMENTUM_AFTER + 1)
        last_value = value + fees
        if _go_on(steady, pair_start, last_shares, best_shares, shares):
            fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    shares[:] = best_shares
    make_whole(pair_start, best_shares, shares)
    fill_load(pair_start, path_start, path_station, unit_load, demand, shares, load)
    value, fees = _delays(load, curve), _fees(pair_start, start, stay, shares)
    return value, fees, min(best_bound, value + fees), sweep


@njit(cache=True)
def _slopes(load, curve):  # type: ignore[no-untyped-def]
    """Slope of every station's cost."""
    slope = np.empty(len(load))
    for s in range(len(load)):
        slope[s] = _delay(max(load[s], 0.0), curve, s)[1]
    return slope


@njit(cache=True)
def _marginal(path, pair, path_start, path_station, unit_load, demand, slope):  # type: ignore[no-untyped-def]
    """What the rest of the world and the pair itself would pay for one more share of a pair on a path."""
    total = 0.0
    for k in range(path_start[path], path_start[path + 1]):
        s = path_station[k]
        for r in range(len(unit_load)):
            total += slope[s] * unit_load[r, s] * demand[r, pair]
    return total


@njit(cache=True)
def _moved(  # type: ignore[no-untyped-def]
    amount, pair, size, station, times, lose, unit_load, demand, curve, load, slope
):
    """Move `amount` of a pair's share between two paths that differ by the listed stations."""
    for k in range(size):
        s = station[k]
        sign = -amount if k < lose else amount
        for r in range(len(unit_load)):
            load[s] += sign * times[k] * unit_load[r, s] * demand[r, pair]
        slope[s] = _delay(max(load[s], 0.0), curve, s)[1]


@njit(cache=True)
def delay_moves(  # noqa: PLR0912 - one loop nest
    listed: NDArray[np.int64],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    open_path: NDArray[np.bool_],
    gaining: NDArray[np.bool_],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    curve: NDArray[np.float64],
    gain_min: float,
    step_max: float,
    rounds_max: int,
    load: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> int:
    """Move shares of the listed pairs from their dearest path to their cheapest, each knowing what those before did.

    A step of the delay sweeps for few pairs, with limits: a pair moves only where that gains a part of what its path
    costs, and no more than so much of its demand; its closed paths are left at once and whole.

    Parameters
    ----------
    listed : int64 (k,)
        Pairs, in the order in which they may move.
    pair_start : int64 (D + 1,)
    path_start : uint64 (P + 1,)
    path_station : uint32 (K,)
    open_path : bool (P,)
        Paths that may be used.
    gaining : bool (P,)
        Open paths that may get more than they have.
    unit_load : float64 (R, S)
        Finite.
    demand : float64 (R, D)
    curve : float64 (4, S)
        As in `delay_sweeps`.
    gain_min : float
        The cheapest path must cost less than the dearest that is used by more than this part of its own cost.
    step_max : float
        Share of a pair that may move from path to path, beside what leaves closed ones.
    rounds_max : int
        Shifts a pair.
    load : float64 (S,)
        Utilisation by all demand together; kept up.
    shares : float64 (P,)
        Changed in place.

    Returns
    -------
    int
        How many pairs moved.
    """
    stations = unit_load.shape[1]
    room = 2 * int(np.diff(path_start).max()) if len(shares) > 0 else 0
    visits = np.zeros(stations, np.int32)
    station, times = np.empty(room, np.int64), np.empty(room, np.int64)
    slope = _slopes(load, curve)
    moved = 0
    for pair in listed:
        first, last = pair_start[pair], pair_start[pair + 1]
        left, changed = step_max, False
        for _ in range(rounds_max + (last - first)):
            dear, cheap, closed = -1, -1, -1
            dearest, cheapest = -1.0, np.inf
            for path in range(first, last):
                if not open_path[path]:
                    if shares[path] > 0.0:
                        closed = path
                    continue
                cost = _marginal(path, pair, path_start, path_station, unit_load, demand, slope)
                if gaining[path] and cost < cheapest:
                    cheap, cheapest = path, cost
                if shares[path] > 0.0 and cost > dearest:
                    dear, dearest = path, cost
            if cheap < 0:
                break
            if closed >= 0:
                lose, size = _difference(closed, cheap, path_start, path_station, visits, station, times)
                amount = shares[closed]
                _moved(amount, pair, size, station, times, lose, unit_load, demand, curve, load, slope)
                shares[cheap] += amount
                shares[closed] = 0.0
                changed = True
                continue
            if dear < 0 or dear == cheap or left <= 0.0 or dearest <= cheapest * (1.0 + gain_min):
                break
            lose, size = _difference(dear, cheap, path_start, path_station, visits, station, times)
            amount = min(shares[dear], left)
            # Halve until what moves does not find its new path dearer than the one it left: convex, so this ends at
            # the balance or before it.
            for _halving in range(12):
                _moved(amount, pair, size, station, times, lose, unit_load, demand, curve, load, slope)
                there = _marginal(cheap, pair, path_start, path_station, unit_load, demand, slope)
                here = _marginal(dear, pair, path_start, path_station, unit_load, demand, slope)
                if there <= here:
                    break
                _moved(-amount, pair, size, station, times, lose, unit_load, demand, curve, load, slope)
                amount *= 0.5
            else:
                break
            shares[cheap] += amount
            shares[dear] = 0.0 if amount >= shares[dear] else shares[dear] - amount
            left -= amount
            changed = True
        if changed:
            moved += 1
    return moved


@njit(cache=True)
def _carry(  # type: ignore[no-untyped-def]
    path, pair, amount, path_start, path_station, unit_load, demand, curve, load, slope
):
    """Put `amount` of a pair's share on a path."""
    if amount != 0.0:
        for k in range(path_start[path], path_start[path + 1]):
            s = path_station[k]
            for r in range(len(unit_load)):
                load[s] += amount * unit_load[r, s] * demand[r, pair]
            slope[s] = _delay(max(load[s], 0.0), curve, s)[1]


@njit(cache=True)
def delay_returns(
    listed: NDArray[np.int64],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    curve: NDArray[np.float64],
    home: NDArray[np.float64],
    calm: float,
    step: float,
    load: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> int:
    """Move shares of the listed pairs a step towards their home shares, where it is calm or costs no more.

    Parameters
    ----------
    home : float64 (P,)
        Where they belong; only on paths that may be taken.
    calm : float
        Where no station on the home ways is used more than this after the step, a pair goes whatever it costs;
        elsewhere only if that costs no more.
    step : float
        Part of the way home; 1: all of it.
    others
        As in `delay_moves`.

    Returns
    -------
    int
        How many pairs moved.
    """
    slope = _slopes(load, curve)
    moved = 0
    for pair in listed:
        first, last = pair_start[pair], pair_start[pair + 1]
        for path in range(first, last):
            there = step * (home[path] - shares[path])
            _carry(path, pair, there, path_start, path_station, unit_load, demand, curve, load, slope)
        # Judged at the loads after the step: who goes home to a busy station finds it so.
        here, there, busiest = 0.0, 0.0, 0.0
        for path in range(first, last):
            cost = _marginal(path, pair, path_start, path_station, unit_load, demand, slope)
            here += shares[path] * cost
            if home[path] > 0.0:
                for k in range(path_start[path], path_start[path + 1]):
                    busiest = max(busiest, load[path_station[k]])
            there += (shares[path] + step * (home[path] - shares[path])) * cost
        if busiest <= calm or there <= here:
            for path in range(first, last):
                shares[path] += step * (home[path] - shares[path])
            moved += 1
        else:
            for path in range(first, last):
                back = -step * (home[path] - shares[path])
                _carry(path, pair, back, path_start, path_station, unit_load, demand, curve, load, slope)
    return moved


@njit(cache=True)
def moving_gains(  # noqa: PLR0912 - one loop nest
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    open_path: NDArray[np.bool_],
    marked: NDArray[np.bool_],
    price: NDArray[np.float64],
    demand: NDArray[np.float64],
    gain_min: float,
    shares: NDArray[np.float64],
    found: NDArray[np.int64],
    gain: NDArray[np.float64],
) -> int:
    """Find the pairs that use a path over a `marked` station (S,) and would pay less on another; how many there are.

    Parameters
    ----------
    open_path : bool (P,)
        Paths that may be taken.
    price : float64 (R, S)
        Of one unit of each component, finite, >= 0.
    demand : float64 (R, D)
    gain_min : float
        They pay more than on their cheapest open path by more than this part of it.
    shares : float64 (P,)
    found : int64 (D,), gain : float64 (D,)
        Written up to the count: the pairs, ascending, and what each would save if all of it took that path.
    """
    count = 0
    for pair in range(len(pair_start) - 1):
        caused, first, last = False, pair_start[pair], pair_start[pair + 1]
        asked = 0.0
        for r in range(len(demand)):
            asked += demand[r, pair]
        if asked <= 0.0:
            continue
        for path in range(first, last):
            if shares[path] > 0.0:
                for k in range(path_start[path], path_start[path + 1]):
                    if marked[path_station[k]]:
                        caused = True
                        break
        if not caused:
            continue
        paid, best = 0.0, np.inf
        for path in range(first, last):
            total = 0.0
            for r in range(len(price)):
                priced = 0.0
                for k in range(path_start[path], path_start[path + 1]):
                    priced += price[r, path_station[k]]
                total += demand[r, pair] * priced
            paid += shares[path] * total
            if open_path[path] and total < best:
                best = total
        if paid > best * (1.0 + gain_min) and paid > best:
            found[count], gain[count] = pair, paid - best
            count += 1
    return count


@njit(cache=True)
def station_flows(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    demand: NDArray[np.float64],
    shares: NDArray[np.float64],
    flow: NDArray[np.float64],
) -> None:
    """Fill `flow` (S, 2) with what of a demand of two components, (2, D), passes each station."""
    flow[:] = 0.0
    for pair in range(len(pair_start) - 1):
        one, other = demand[0, pair], demand[1, pair]
        if one + other <= 0.0:
            continue
        for path in range(pair_start[pair], pair_start[pair + 1]):
            share = shares[path]
            if share > 0.0:
                # Two sums written out: a loop over components takes three times as long.
                first, second = share * one, share * other
                for k in range(path_start[path], path_start[path + 1]):
                    flow[path_station[k], 0] += first
                    flow[path_station[k], 1] += second


@njit(cache=True)
def two_flows(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    demand: NDArray[np.float64],
    part: NDArray[np.float64],
    shares: NDArray[np.float64],
    flow: NDArray[np.float64],
) -> None:
    """Fill `flow` (S, 4) with the `station_flows` of a demand (2, D) and of a `part` of it (2, D), in one pass."""
    flow[:] = 0.0
    for pair in range(len(pair_start) - 1):
        one, other = demand[0, pair], demand[1, pair]
        if one + other <= 0.0:
            continue
        for path in range(pair_start[pair], pair_start[pair + 1]):
            share = shares[path]
            if share > 0.0:
                first, second = share * one, share * other
                third, fourth = share * part[0, pair], share * part[1, pair]
                for k in range(path_start[path], path_start[path + 1]):
                    flow[path_station[k], 0] += first
                    flow[path_station[k], 1] += second
                    flow[path_station[k], 2] += third
                    flow[path_station[k], 3] += fourth


@njit(cache=True)
def shift_load(
    pairs: NDArray[np.int64],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    load: NDArray[np.float64],
) -> None:
    """Keep up the `load` (S,) of a demand (R, D) as these pairs go over from some shares (P,) to others."""
    for pair in pairs:
        for path in range(pair_start[pair], pair_start[pair + 1]):
            more = after[path] - before[path]
            if more != 0.0:
                for k in range(path_start[path], path_start[path + 1]):
                    for r in range(len(unit_load)):
                        load[path_station[k]] += more * unit_load[r, path_station[k]] * demand[r, pair]
