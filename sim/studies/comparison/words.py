"""What `compare` says in a sentence, and how values are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.report.blocks import Form, Verdict, Words
from sim.studies.comparison.compare import Compared
from sim.studies.measures import measure
from sim.studies.paired import FEW, Effect, Estimate
from sim.studies.written import written

# More clauses than that nobody reads as a sentence.
CLAUSES_MAX: Final = 3
_HALF: Final = (-0.55, -0.45)
_DOUBLE: Final = (0.9, 1.1)


def verdict_of(compared: Compared) -> Verdict:
    """Return the answer: what each arm makes of what was asked for, with its interval, against the base."""
    others = compared.order.arms[1:]
    clauses = [_clause(compared, name, place) for name in compared.measures for place in range(len(others))]
    if len(clauses) > CLAUSES_MAX:
        clauses = [_summary(compared)]
    tail = _tail(compared)
    losing = [place for place, one in enumerate(compared.lost) if one.difference.sign > 0]
    en = ", ".join(["; ".join(one.en for one in clauses), *(one.en for one in tail)])
    zh = "，".join(["；".join(one.zh for one in clauses), *(one.zh for one in tail)])
    for place in losing:
        more = written(compared.lost[place].difference.value, Form.NUMBER)
        label = others[place].label
        en += f"; but {label} delivers {more} exchanges a run fewer"
        zh += f"；但 {label} 每次运行少送达 {more} 次交换"
    known = all(one is not None for name in compared.measures for one in compared.effects[name])
    sure = known and len(compared.replications) > 1
    return Verdict(
        text=Words(en, zh), confidence=compared.order.confidence if sure else None, good=_good(compared, losing)
    )


def signed(value: float, form: Form) -> str:
    """Return a difference as a sentence has it."""
    return ("+" if value >= 0 else "-") + written(abs(value), form)


def spanned(one: Effect, form: Form) -> str:
    """Return a change and its interval, ``-48 % [-52, -44]``, or a difference in its unit where there is no change."""
    if one.change is not None:
        digits = _digits(one.change)
        value = f"{100 * one.change.value:+.{digits}f} %"
        if one.change.low is None or one.change.high is None:
            return value
        return f"{value} [{100 * one.change.low:+.{digits}f}, {100 * one.change.high:+.{digits}f}]"
    value = signed(one.difference.value, form)
    if one.difference.low is None or one.difference.high is None:
        return value
    return f"{value} [{signed(one.difference.low, form)}, {signed(one.difference.high, form)}]"


def _digits(change: Estimate) -> int:
    """Digits behind the point that an interval of that width bears."""
    half = change.half_width
    return 1 if half is None or 0.002 <= half < 0.02 else 0 if half >= 0.02 else 2


def _clause(compared: Compared, name: str, place: int) -> Words:
    base, label = compared.order.arms[0].label, compared.order.arms[place + 1].label
    title, one = measure(name).title, compared.effects[name][place]
    if one is None:
        return Words(
            f"{title.en} of {label} and {base} cannot be compared, a run delivered nothing of it",
            f"{label} 与 {base} 的{title.zh}无法比较：有运行未送达任何相应交换",
        )
    span = spanned(one, measure(name).form)
    if one.equal == one.pairs:
        return Words(
            f"{label} and {base} have the same {title.en} under every seed",
            f"{label} 与 {base} 在每个种子下的{title.zh}都相同",
        )
    if one.difference.low is None:
        return Words(
            f"one seed proves nothing: {title.en} of {label} against {base} {span} under it",
            f"单个种子不能说明问题：{label} 相对 {base} 的{title.zh} {span}",
        )
    if one.sign == 0:
        return Words(
            f"no difference can be told between {label} and {base} in {title.en}: {span}",
            f"{label} 与 {base} 的{title.zh}看不出差异：{span}",
        )
    verb = _verb(one)
    return Words(
        f"{label} {verb.en} {title.en} against {base}: {span}",
        f"{label} 使 {title.zh} 相对 {base} {verb.zh}：{span}",
    )


def _verb(one: Effect) -> Words:
    if one.change is not None and _HALF[0] <= one.change.value <= _HALF[1]:
        return Words("halves", "减半")
    if one.change is not None and _DOUBLE[0] <= one.change.value <= _DOUBLE[1]:
        return Words("doubles", "翻倍")
    return Words("lowers", "降低") if one.sign < 0 else Words("raises", "升高")


def _summary(compared: Compared) -> Words:
    """Return how many arms do better in what was asked for first, and which does best."""
    name = compared.measures[0]
    title, form = measure(name).title, measure(name).form
    base, others = compared.order.arms[0].label, compared.order.arms[1:]
    known = [(arm, one) for arm, one in zip(others, compared.effects[name], strict=True) if one is not None]
    if not known:
        return _clause(compared, name, 0)
    better, worse = (sum(one.sign == sign for _, one in known) for sign in (-1, 1))
    arm, best = min(known, key=lambda pair: pair[1].difference.value)
    span = spanned(best, form)
    open_en = f"{len(others) - better - worse} not told apart"
    return Words(
        f"in {title.en} {better} of {len(others)} arms do better than {base}, {worse} worse, {open_en}; "
        f"least has {arm.label}: {span}",
        f"就{title.zh}而言，{len(others)} 个方案中 {better} 个优于 {base}，{worse} 个更差，"
        f"{len(others) - better - worse} 个看不出差异；最小者为 {arm.label}：{span}",
    )


def _tail(compared: Compared) -> list[Words]:
    """Return on what the answer rests."""
    order, count = compared.order, len(compared.replications)
    traces = len({one.digests[0] for one in compared.replications})
    seeds = Words(f"{count} seed{'s' * (count != 1)}", f"{count} 个种子")
    if 1 < count < FEW:
        seeds = Words(f"only {seeds.en}", f"仅 {seeds.zh}")
    if order.traffic.draw is None:
        seeds = Words(f"{seeds.en} on {traces} trace{'s' * (traces != 1)}", f"{seeds.zh}、{traces} 条轨迹")
    told = [seeds]
    if count > 1:
        level = f"{100 * order.confidence:g} %"
        family = len(compared.measures) * (len(order.arms) - 1)
        told.append(Words(f"{level} for all together", f"整体 {level}") if family > 1 else Words(level, level))
    if compared.precise is False:
        told.append(Words("wider than wanted", "未达到所需精度"))
    return told


def _good(compared: Compared, losing: Sequence[int]) -> bool | None:
    """Whether some arm is better than the base; False if all are worse, None if it cannot be said."""
    found: list[bool | None] = []
    for place in range(len(compared.order.arms) - 1):
        effects = [compared.effects[name][place] for name in compared.measures]
        signs = [0 if one is None else one.sign for one in effects]
        if max(signs) <= 0 and min(signs) < 0 and place not in losing:
            found.append(True)
        elif min(signs) >= 0 and max(signs) > 0:
            found.append(False)
        else:
            found.append(None)
    if True in found:
        return True
    return False if set(found) == {False} else None
