"""Sweeps over pairs that move shares from dear paths to cheap ones: the inner loops of the split solvers.

Both solvers minimise a sum of convex functions of the stations' utilisation plus a linear cost of paths, pair by pair
(Gauss and Seidel): a price a station, and for each pair that gains enough a shift between two paths that makes their
prices equal. Between sweeps all pairs are priced once at the same prices, which gives a lower bound by duality.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Sharpness of the exponential prices, in units of 1 / peak: from blunt to as sharp as the gap asks.
SHARPNESS_FIRST = 50.0
SHARPNESS_GROWTH = 2.0
SHARPNESS_MAX = 1e9
# Part of the wanted gap that may stay unbalanced over all pairs together without a shift.
UNBALANCED = 0.02
# Sweeps without a better answer after which prices get sharper, whatever the other signs say.
PATIENCE = 30
TRIALS = 8
# A shift may leave the path that gains dearer than the one that loses by this factor.
OVERSHOOT = 1.1


@njit(cache=True)
def fill_use(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    unit_load: NDArray[np.float64],
    demand: NDArray[np.float64],
    use: NDArray[np.float64],
) -> None:
    """Write what all of a pair's demand would use of each station of each of its paths.

    Parameters
    ----------
    unit_load : float64 (R, S)
    demand : float64 (R, D)
    use : float64 (K,), written
        Parallel to `path_station`.
    """
    for pair in range(len(pair_start) - 1):
        first, last = path_start[pair_start[pair]], path_start[pair_start[pair + 1]]
        amount = demand[0, pair]
        for k in range(first, last):
            use[k] = amount * unit_load[0, path_station[k]]
        for component in range(1, len(demand)):
            amount = demand[component, pair]
            for k in range(first, last):
                use[k] += amount * unit_load[component, path_station[k]]


@njit(cache=True)
def add_load(
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    use: NDArray[np.float64],
    shares: NDArray[np.float64],
    load: NDArray[np.float64],
) -> None:
    """Add the utilisation (S,) that shares (P,) cause."""
    for path in range(len(shares)):
        share = shares[path]
        if share > 0.0:
            for k in range(path_start[path], path_start[path + 1]):
                load[path_station[k]] += share * use[k]


@njit(cache=True)
def _make_whole(pair_start, path_start, path_station, use, shares, load):  # type: ignore[no-untyped-def]
    """Scale each pair's shares to sum to one, as they did before many roundings, and work out the load anew."""
    for pair in range(len(pair_start) - 1):
        total = 0.0
        for path in range(pair_start[pair], pair_start[pair + 1]):
            total += shares[path]
        if total > 0.0:
            for path in range(pair_start[pair], pair_start[pair + 1]):
                shares[path] /= total
    load[:] = 0.0
    add_load(path_start, path_station, use, shares, load)


@njit(cache=True)
def _fees(pair_start, start, stay, shares):  # type: ignore[no-untyped-def]
    """What is due for all that has left its start."""
    fees = 0.0
    for pair in range(len(stay)):
        for path in range(pair_start[pair], pair_start[pair + 1]):
            fees += stay[pair] * max(start[path] - shares[path], 0.0)
    return fees


@njit(cache=True)
def _delay(u, curve, station):  # type: ignore[no-untyped-def]
    """Return value, slope and curvature of a station's cost at utilisation u; `sim`'s queues, `router_core.delay`."""
    linear, queue, power, knee = curve[0, station], curve[1, station], curve[2, station], curve[3, station]
    v = min(u, knee)
    left = 1.0 - v
    if v <= 0.0:
        value, slope, bend = 0.0, linear, (2.0 * queue if power == 1.0 else 0.0)
    else:
        low = v if power == 1.0 else v**power
        value = linear * v + queue * low * v / left
        slope = linear + queue * low * ((power + 1.0) / left + v / (left * left))
        bend = (
            queue
            * low
            * (
                (power + 1.0) * power / (v * left)
                + 2.0 * (power + 1.0) / (left * left)
                + 2.0 * v / (left * left * left)
            )
        )
    more = u - v
    return value + more * (slope + 0.5 * more * bend), slope + more * bend, bend


@njit(cache=True)
def _cost(shares, linear, load, curve):  # type: ignore[no-untyped-def]
    """Cost of all stations and paths."""
    total = 0.0
    for s in range(len(load)):
        total += _delay(load[s], curve, s)[0]
    for path in range(len(shares)):
        total += shares[path] * linear[path]
    return total


@njit(cache=True)
def _price_pairs(  # type: ignore[no-untyped-def]
    pair_start, path_start, path_station, use, linear, scale, start, stay, fee_scale, shares, price, cost, least, listed
):
    """Price every pair at fixed prices of stations.

    Returns the sum over pairs of the least priced use (without `linear`; with `stay` of the best stay or leave), the
    sum of what moving could gain (with it), and how many pairs could gain more than `least` (written to `listed`).
    """
    bound, gain, count = 0.0, 0.0, 0
    held = len(stay) > 0
    for pair in range(len(pair_start) - 1):
        first, last = pair_start[pair], pair_start[pair + 1]
        cheapest, cheapest_cost, total = np.inf, np.inf, 0.0
        for path in range(first, last):
            priced = 0.0
            for k in range(path_start[path], path_start[path + 1]):
                priced += price[path_station[k]] * use[k]
            cheapest = min(cheapest, priced)
            cost[path] = priced
            priced += scale * linear[path]
            cheapest_cost = min(cheapest_cost, priced)
            total += shares[path] * priced
        if first == last:
            continue
        if held:
            fee = stay[pair] * fee_scale
            bounded, best, free = 0.0, 0.0, 1.0
            for path in range(first, last):
                bounded += start[path] * min(cost[path], cheapest + fee)
                best += start[path] * min(cost[path] + scale * linear[path], cheapest_cost + fee)
                total += fee * max(start[path] - shares[path], 0.0)
                free -= start[path]
            cheapest, cheapest_cost = bounded + free * cheapest, best + free * cheapest_cost
        bound += cheapest
        gain += total - cheapest_cost
        if total - cheapest_cost > least:
            listed[count] = pair
            count += 1
    return bound, gain, count


@njit(cache=True)
def _shift_pairs(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop nest
    pair_start, path_start, path_station, use, linear, scale, start, stay, fee_scale, shares,
    price, load, sharpness, reference, curve, least, listed, count, cost, mark, station, amount, trial,
):  # fmt: skip
    """Equalise the paths of the listed pairs, one pair after the other, at prices that follow each shift."""
    held = len(stay) > 0
    exponential = curve.shape[1] == 0
    for place in range(count):
        pair = listed[place]
        first, last = pair_start[pair], pair_start[pair + 1]
        fee = stay[pair] * fee_scale if held else 0.0
        to = first
        cheapest = np.inf
        for path in range(first, last):
            priced = scale * linear[path]
            for k in range(path_start[path], path_start[path + 1]):
                priced += price[path_station[k]] * use[k]
            cost[path] = priced
            if held and shares[path] >= start[path]:
                priced += fee
            if priced < cheapest:
                cheapest = priced
                to = path
        for path in range(first, last):
            if path == to or shares[path] <= 0.0:
                continue
            most = shares[path]
            leaving, arriving = scale * linear[path], scale * linear[to]
            if held:
                # The fee is due for what leaves its start; where that begins the cost has a kink, and a shift stops.
                if shares[path] > start[path]:
                    leaving += fee
                    most = min(most, shares[path] - start[path])
                if shares[to] >= start[to]:
                    arriving += fee
                else:
                    most = min(most, start[to] - shares[to])
            if most * (cost[path] - scale * linear[path] + leaving - cheapest) <= least:
                continue
            # What differs between the two: `size` stations, the first `split` of which lose.
            mark_now = mark[0] + 1
            mark[0] = mark_now
            for k in range(path_start[to], path_start[to + 1]):
                mark[1 + path_station[k]] = mark_now
            size = 0
            for k in range(path_start[path], path_start[path + 1]):
                if mark[1 + path_station[k]] == mark_now:
                    mark[1 + path_station[k]] = 0
                else:
                    station[size], amount[size] = path_station[k], -use[k]
                    size += 1
            split = size
            for k in range(path_start[to], path_start[to + 1]):
                if mark[1 + path_station[k]] == mark_now:
                    station[size], amount[size] = path_station[k], use[k]
                    size += 1
            # Newton's method on the ratio of the two prices, in logarithms: exponential prices make that nearly linear,
            # and where it is not it overshoots first and then comes back from above.
            shift, done = 0.0, False
            for attempt in range(TRIALS):
                dear, dear_slope, cheap, cheap_slope = leaving, 0.0, arriving + 1e-300, 0.0
                for j in range(size):
                    used = abs(amount[j])
                    u = load[station[j]] + shift * amount[j]
                    if exponential:
                        priced = exp(sharpness * (u - reference))
                        slope = sharpness * priced
                    else:
                        _, priced, slope = _delay(u, curve, station[j])
                    trial[j] = priced
                    if j < split:
                        dear += priced * used
                        dear_slope += slope * used * used
                    else:
                        cheap += priced * used
                        cheap_slope += slope * used * used
                if attempt == 0:
                    if dear <= cheap:
                        break
                elif cheap <= OVERSHOOT * dear:
                    done = True
                    break
                slope = dear_slope / dear + cheap_slope / cheap
                ratio = log(dear / cheap)
                moved = shift + ratio / slope if slope * most > 1e-12 * abs(ratio) else most
                if moved >= most:
                    if shift == most:
                        done = True
                        break
                    moved = most
                shift = max(moved, 0.0)
                if shift == 0.0:
                    break
            if not done:
                continue
            if shift == shares[path]:
                shares[to] += shares[path]
                shares[path] = 0.0
            else:
                shares[path] -= shift
                shares[to] += shift
            for j in range(size):
                load[station[j]] += shift * amount[j]
                price[station[j]] = trial[j]
            cheapest = scale * linear[to] + (fee if held and shares[to] >= start[to] else 0.0)
            for k in range(path_start[to], path_start[to + 1]):
                cheapest += price[path_station[k]] * use[k]


@njit(cache=True)
def peak_sweeps(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    use: NDArray[np.float64],
    tie: NDArray[np.float64],
    start: NDArray[np.float64],
    stay: NDArray[np.float64],
    stations: int,
    gap: float,
    sweeps_max: int,
    shares: NDArray[np.float64],
) -> tuple[float, float, float, int]:
    """Minimise the peak utilisation; indices are the caller's to check.

    The stations' prices are exponential in utilisation (a soft maximum): at the prices of its minimum every pair uses
    cheapest paths only, so the bound is as far below the peak as the soft maximum is blunt. Prices get sharper once
    that, and no longer the imbalance between paths, is what keeps the two apart.

    Parameters
    ----------
    use : float64 (K,)
        Utilisation of each station of each path by all of the pair's demand.
    tie : float64 (P,)
        Cost of a path by which ties are broken, >= 0, as a share of the peak: it is scaled by the best peak so far.
    start : float64 (P,)
        Shares that `stay` compares with; not read where `stay` is empty.
    stay : float64 (D,) or (0,)
        Fee, in utilisation, for moving all of a pair's traffic away from its `start`.
    gap : float
        Stop when peak and fees are within this share of their bound.
    shares : float64 (P,), written
        Where to begin; then the best shares found.

    Returns
    -------
    peak, fees, bound, sweeps
        `bound` is below peak + fees of every other split.
    """
    load, price = np.zeros(stations), np.zeros(stations)
    paths, pairs = len(shares), len(pair_start) - 1
    cost, listed = np.empty(paths), np.empty(pairs, np.int64)
    mark, station = np.zeros(stations + 1, np.int64), np.empty(2 * stations, np.int64)
    amount, trial = np.empty(2 * stations), np.empty(2 * stations)
    curve = np.empty((0, 0))
    best_shares = shares.copy()
    add_load(path_start, path_station, use, shares, load)
    best, best_bound = np.inf, 0.0
    sharpness, tie_part, idle, sweep = SHARPNESS_FIRST, 1.0, 0, 0
    while True:
        peak, fees = load.max(), _fees(pair_start, start, stay, shares)
        before = best - best_bound
        if peak + fees < best:
            best = peak + fees
            best_shares[:] = shares
        if peak <= 0.0:
            break
        total, mean = 0.0, 0.0
        for s in range(stations):
            price[s] = exp(sharpness * (load[s] / peak - 1.0))
            total += price[s]
            mean += price[s] * load[s]
        mean /= total
        # Prices sum to `total` here, and to one in the bound: what is not priced by stations is scaled to match.
        scale = tie_part * best * total
        least = UNBALANCED * gap * best * total / pairs
        bound, gain, count = _price_pairs(
            pair_start, path_start, path_station, use, tie, scale, start, stay, total, shares, price, cost, least,
            listed,
        )  # fmt: skip
        bound, gain = bound / total, gain / total
        best_bound = max(best_bound, bound)
        if best - best_bound <= gap * best or sweep >= sweeps_max or sharpness > SHARPNESS_MAX:
            break
        idle = idle + 1 if best - best_bound > 0.99 * before else 0
        blunt, imbalance = peak - mean, mean + fees - bound
        if imbalance > 0.25 * gap * best and gain < 0.5 * imbalance:
            tie_part *= 0.25  # ties hold traffic where the peak would have it move
        elif blunt > 0.5 * imbalance or idle >= PATIENCE:
            sharpness *= SHARPNESS_GROWTH
            idle = 0
            for s in range(stations):
                price[s] = exp(sharpness * (load[s] / peak - 1.0))
        _shift_pairs(
            pair_start, path_start, path_station, use, tie, scale, start, stay, total, shares,
            price, load, sharpness / peak, peak, curve, 0.25 * least, listed, count, cost, mark, station, amount, trial,
        )  # fmt: skip
        sweep += 1
    shares[:] = best_shares
    _make_whole(pair_start, path_start, path_station, use, shares, load)
    peak, fees = load.max(), _fees(pair_start, start, stay, shares)
    return peak, fees, min(best_bound, peak + fees), sweep


@njit(cache=True)
def delay_sweeps(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    use: NDArray[np.float64],
    linear: NDArray[np.float64],
    curve: NDArray[np.float64],
    start: NDArray[np.float64],
    stay: NDArray[np.float64],
    gap: float,
    sweeps_max: int,
    shares: NDArray[np.float64],
) -> tuple[float, float, float, int]:
    """Minimise the sum of the stations' convex costs and the paths' linear ones; indices are the caller's to check.

    Parameters
    ----------
    linear : float64 (P,)
        Cost of a path if all of the pair's demand takes it.
    curve : float64 (4, S)
        Linear part, queueing part, power and knee of each station's cost of utilisation (`router_core.delay`).
    others
        As in `peak_sweeps`.

    Returns
    -------
    cost, fees, bound, sweeps
    """
    stations = curve.shape[1]
    load, price = np.zeros(stations), np.zeros(stations)
    paths, pairs = len(shares), len(pair_start) - 1
    cost, listed = np.empty(paths), np.empty(pairs, np.int64)
    mark, station = np.zeros(stations + 1, np.int64), np.empty(2 * stations, np.int64)
    amount, trial = np.empty(2 * stations), np.empty(2 * stations)
    best_shares = shares.copy()
    add_load(path_start, path_station, use, shares, load)
    best, best_bound, sweep = np.inf, 0.0, 0
    while True:
        value, fees = _cost(shares, linear, load, curve), _fees(pair_start, start, stay, shares)
        for s in range(stations):
            _, price[s], _ = _delay(load[s], curve, s)
        if value + fees < best:
            best = value + fees
            best_shares[:] = shares
        least = UNBALANCED * gap * best / max(pairs, 1)
        _, gain, count = _price_pairs(
            pair_start, path_start, path_station, use, linear, 1.0, start, stay, 1.0, shares, price, cost, least, listed
        )
        # The cost is convex: no shares are better than these by more than moving at fixed prices would gain.
        best_bound = max(best_bound, value + fees - gain)
        if best - best_bound <= gap * best or sweep >= sweeps_max:
            break
        _shift_pairs(
            pair_start, path_start, path_station, use, linear, 1.0, start, stay, 1.0, shares,
            price, load, 0.0, 0.0, curve, 0.25 * least, listed, count, cost, mark, station, amount, trial,
        )  # fmt: skip
        sweep += 1
    shares[:] = best_shares
    _make_whole(pair_start, path_start, path_station, use, shares, load)
    value, fees = _cost(shares, linear, load, curve), _fees(pair_start, start, stay, shares)
    return value, fees, min(best_bound, value + fees), sweep
