"""Policies and bundles for tests: drawn for a network, lawful, and otherwise of any kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

import numpy as np
from made_networks import drawn_network
from made_plans import drawn_plan

import scenarios
from feed.bundle.bundle import Bundle
from feed.bundle.compose import PolicyContent, compose
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import make_bundle
from router_core.network import Network
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.class_model import ClassModel, DemandClass, PolicyTemplate
from strategies.classes.likelihood import ClassLikelihood
from strategies.static.week_plan import WeekPlan

CLASSES = 3
BEGIN = datetime(2026, 4, 30)
# 16:00 UTC of the day before is the plan's first hour.
VALID_FROM = datetime(2026, 4, 29, 16, tzinfo=UTC)
GUARDS = GuardsDocument(hold_ns_max=10**15, moved_share_max=1.0, reachable_share_min=0.5)


@cache
def network_of(name: str) -> Network:
    """`toy`, `province-N` (drawn; some pairs lie apart in every third), or a scenario's."""
    if not name.startswith("province-"):
        return scenarios.load(name).network
    seed = int(name.removeprefix("province-"))
    torn = 0.3 if seed % 3 == 0 else 0.0
    return drawn_network(Random(seed), transit=9, front_ends=14, extra_lines=8, torn=torn)


@cache
def plan_of(name: str, seed: int, slots: int = 30) -> WeekPlan:
    return drawn_plan(network_of(name), seed, begin=BEGIN, slots=slots, classes=CLASSES)


def drawn_classes(network: Network, seed: int) -> ClassModel:
    """Classes of any relations, some of them of the class that their way falls back to."""
    random = np.random.default_rng(seed)
    count = 6 * len(network.endpoints)
    rows = np.stack(
        [
            random.choice(network.endpoints, count),
            random.choice(network.endpoints, count),
            random.integers(0, len(Mode), count),
            random.integers(0, len(TaskKind), count),
            random.integers(0, PRIORITY_MAX + 1, count),
        ]
    )
    rows = np.unique(rows, axis=1)
    count = rows.shape[1]
    kinds = tuple(
        DemandClass(
            name=f"kind-{number}",
            title_en="", title_zh="", description_en="", description_zh="",
            policy=PolicyTemplate(number, number == 2, 3_600_000_000_000 * (number == 2), 0, 2, "auto"),
            relations=0, exchanges_share=0.0, bytes_share=0.0, profile=np.ones(168), effects={}, mean_bytes=1.0,
        )
        for number in range(CLASSES)
    )  # fmt: skip
    nothing = np.zeros((CLASSES, 1))
    return ClassModel(
        classes=kinds,
        counts=(),
        stability=1.0,
        source=rows[0].astype(np.int32),
        target=rows[1].astype(np.int32),
        mode=rows[2].astype(np.int8),
        kind=rows[3].astype(np.int8),
        priority=rows[4].astype(np.int8),
        relation_class=random.integers(0, CLASSES, count).astype(np.int16),
        confidence=np.ones(count, dtype=np.float32),
        relation_exchanges=random.integers(0, 1_000, count),
        likelihood=ClassLikelihood(np.zeros(CLASSES), nothing, nothing, nothing, nothing),
        level=np.ones(CLASSES),
    )


def drawn_content(name: str, seed: int, *, moved: float = 0.3, held: float = 0.2, plan_seed: int = 0) -> PolicyContent:
    """A plan with another dynamic layer for each seed; none at all with neither moved nor held pairs."""
    network, plan = network_of(name), plan_of(name, plan_seed)
    random = np.random.default_rng(seed)
    paths, groups = plan.paths, len(network.groups)
    away = {}
    for pair in range(paths.pair_count):
        ways = int(paths.pair_start[pair + 1] - paths.pair_start[pair])
        if ways and random.random() < moved:
            weights = random.integers(0, 5, ways)
            weights[random.integers(ways)] += 1
            away[int(paths.source[pair]), int(paths.target[pair])] = tuple(weights.tolist())
    hold_ns = random.integers(1, 10**12, (2, groups, groups)) * (random.random((1, groups, groups)) < held)
    return PolicyContent(
        plan,
        drawn_classes(network, plan_seed),
        away,
        hold_ns if held else None,
        0.5 if held else 0.0,
        random.integers(0, 3, len(plan.node)).astype(np.int32),
    )


def drawn_bundle(name: str = "toy", seed: int = 0, *, epoch: int = 1, plan_seed: int = 0, moved: float = 0.3) -> Bundle:
    """An unsigned bundle."""
    network = network_of(name)
    content = drawn_content(name, seed, plan_seed=plan_seed, moved=moved)
    return bundle_of(network, compose(network, content, GUARDS, VALID_FROM), epoch=epoch)


def bundle_of(network: Network, files: dict[str, bytes], *, epoch: int = 1) -> Bundle:
    """An unsigned bundle of these files."""
    return make_bundle(
        files,
        epoch=epoch,
        created=VALID_FROM,
        valid_from=VALID_FROM,
        soft_expiry=VALID_FROM + timedelta(hours=1),
        hard_expiry=VALID_FROM + timedelta(days=14),
        topology=network.digest,
        scenario="toy",
        inputs={"brain-file": "0" * 64},
        provenance={"command": "made by a test"},
    )
