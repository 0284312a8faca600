"""What the study found, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import beta

from sim.report.blocks import Verdict, Words
from sim.studies.survival.elements import KINDS
from sim.studies.survival.survive import Suffered, Survived

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Share:
    """A share of all pairs, estimated from those that were tried.

    Attributes
    ----------
    count, tried : int
    low, high : float
        Clopper and Pearson's interval; both the share itself where all pairs were tried.
    """

    count: int
    tried: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share of those that were tried."""
        return self.count / self.tried


def share_of(count: int, tried: int, whole: bool) -> Share:
    """Estimate a share of all pairs.

    The interval is that of draws with replacement: of draws without, it is too wide rather than too narrow.
    """
    if whole:
        return Share(count, tried, count / tried, count / tried)
    rest = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(rest, count, tried - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - rest, count + 1, tried - count)) if count < tried else 1.0
    return Share(count, tried, low, high)


@dataclass(frozen=True)
class PairShares:
    """Which pairs of failures do what.

    Attributes
    ----------
    losing : Share
        Lose an exchange.
    cutting : Share
        Cut off pairs of endpoints that neither failure cuts off by itself.
    compounding : Share
        Make more exchanges late than the two by themselves add up to, by more than the band of all.
    """

    losing: Share
    cutting: Share
    compounding: Share


def beyond(survived: Survived, pair: Suffered, name: str) -> float:
    """How much more of a number a pair does than its two failures by themselves add up to."""
    alone = sum(survived.singles[member].mean(name) for member in pair.failure.members)
    return pair.mean(name) - alone


def pair_shares(survived: Survived) -> PairShares | None:
    """Return the shares of pairs, None if none was tried."""
    paired, whole = survived.paired, survived.pairs.whole
    if not paired:
        return None
    band = survived.spec.bounds.band
    counts = (
        sum(one.mean("lost") > 0 for one in paired),
        sum(beyond(survived, one, "cut_pairs") > 0 for one in paired),
        sum(beyond(survived, one, "late") > band * one.mean("exchanges") for one in paired),
    )
    return PairShares(*(share_of(count, len(paired), whole) for count in counts))


def kind_of(suffered: Suffered) -> Words:
    """Return of what kind its failure is."""
    kinds = [KINDS[one.kind] for one in suffered.failure.elements]
    return Words(" + ".join(one.en for one in kinds), " + ".join(one.zh for one in kinds))


def hurt_share(one: Suffered) -> float:
    """Mean share of exchanges that were late or lost."""
    return float(np.mean([(harm.late + harm.lost) / max(harm.exchanges, 1) for harm in one.harms]))


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.3g} %"


def duration(time_s: float) -> str:
    """Write a time."""
    return f"{time_s:.3g} s" if time_s < 120 else f"{time_s / 60:.3g} min"


def verdict_of(survived: Survived) -> Verdict:
    """Answer in one sentence, and say what stands behind it."""
    alone = survived.ranked
    losing = [one for one in alone if one.mean("lost") > 0]
    count, worst = len(alone), alone[0]
    if losing:
        english = f"{len(losing)} of {count} single failures lose exchanges; "
        chinese = f"{count} 种单点故障中有 {len(losing)} 种丢失交换；"
    else:
        english = f"None of {count} single failures loses an exchange; "
        chinese = f"{count} 种单点故障均不丢失交换；"
    english += _worst(survived, worst)
    chinese += _worst_zh(survived, worst)
    shares = pair_shares(survived)
    confidence = None
    if shares is not None:
        how, how_zh, confidence = _pairs_told(survived, shares)
        english, chinese = english + how, chinese + how_zh
    hours, seeds = len(survived.hours), len(survived.spec.seeds)
    english += f". Every single failure at {_many(hours, 'hour')}, {_many(seeds, 'seed')}."
    chinese += f"。所有单点故障，{hours} 个时段，{seeds} 个种子。"
    # That nothing is lost is good only if nobody had to wait for the return, as those cut off had.
    cutting = any(one.mean("cut_pairs") > 0 for one in alone)
    good = False if losing else None if cutting else True
    return Verdict(text=Words(english, chinese), confidence=confidence, good=good)


def _worst(survived: Survived, one: Suffered) -> str:
    if not one.mean("lost") and not one.mean("late"):
        return "none makes one late"
    parts = [f"the worst, {kind_of(one).en} {one.failure.name},"]
    if one.mean("lost"):
        parts.append(f"loses {one.mean('lost'):,.3g} and")
    bound = duration(survived.spec.bounds.late_by_ns / 1e9)
    parts.append(f"makes {percent(one.late_share)} of exchanges later by more than {bound}")
    after = max(harm.after_return_s for harm in one.harms)
    if not one.always_normal:
        parts.append(f"and is not over {duration(after)} after its return")
    elif after:
        parts.append(f"and is over {duration(after)} after its return")
    else:
        parts.append("and is over when it returns")
    return " ".join(parts)


def _worst_zh(survived: Survived, one: Suffered) -> str:
    if not one.mean("lost") and not one.mean("late"):
        return "也无一使交换变慢"
    bound = duration(survived.spec.bounds.late_by_ns / 1e9)
    text = f"最严重的是{kind_of(one).zh} {one.failure.name}："
    if one.mean("lost"):
        text += f"丢失 {one.mean('lost'):,.3g} 次，"
    text += f"{percent(one.late_share)} 的交换推迟超过 {bound}，"
    after = max(harm.after_return_s for harm in one.harms)
    if not one.always_normal:
        return text + f"恢复后 {duration(after)} 仍未正常"
    return text + (f"恢复后 {duration(after)} 正常" if after else "恢复时即正常")


def _pairs_told(survived: Survived, shares: PairShares) -> tuple[str, str, float | None]:
    cutting, losing, tried = shares.cutting, shares.losing, len(survived.paired)
    if survived.pairs.whole:
        return (
            f"; of all {tried:,} pairs, {percent(losing.value)} lose some and {percent(cutting.value)} cut somebody "
            "off whom neither does alone",
            f"；全部 {tried:,} 种双重故障中，{percent(losing.value)} 丢失交换，{percent(cutting.value)} 造成新的隔断",
            None,
        )
    lost, cut = (f"{percent(one.value)} [{100 * one.low:.3g}, {100 * one.high:.3g}]" for one in (losing, cutting))
    return (
        f"; of pairs, {lost} lose some and {cut} cut somebody off whom neither does alone "
        f"({tried:,} drawn of {survived.pairs.population:,})",
        f"；双重故障中 {lost} 丢失交换，{cut} 造成新的隔断（从 {survived.pairs.population:,} 种中抽取 {tried:,} 种）",
        CONFIDENCE,
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
