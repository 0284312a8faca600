"""What a world is made of, all of it from one seed: scene, brain and its parameters, rhythms of the feed, troubles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from feed.agent.agent import AgentSetting
from feed.live.publication import PublicationSetting
from feed.server.setting import ServerSetting
from router_core.randomness import stream
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from sim.telemetry import TelemetryConfig
from sim.world import WorldConfig
from strategies.dynamic.setting import DynamicSetting
from swarm.scenes import Scene, scene
from swarm.troubles import Kind, Trouble, drawn_kinds, drawn_troubles


@dataclass(frozen=True)
class Rhythms:
    """How often everything happens.

    Attributes
    ----------
    config : WorldConfig
    agent : AgentSetting
    server : ServerSetting
    publication : PublicationSetting
    look_s : float
        How often the centre looks at the clock [s].
    turn_s : float
        How long a turn of the centre takes [s].
    restart_s : float
        A process that died is started again after so long [s].
    operator_s : float
        How often an operator looks at the rollout [s].
    tasks : int
        Given to front-ends.
    """

    config: WorldConfig
    agent: AgentSetting
    server: ServerSetting
    publication: PublicationSetting
    look_s: float
    turn_s: float
    restart_s: float
    operator_s: float
    tasks: int


@dataclass(frozen=True)
class WorldSpec:
    """A world that can be lived.

    Attributes
    ----------
    seed : int
    scene : int
        Seed of its scene.
    brain : str
    setting : DynamicSetting
    rhythms : Rhythms
    signers : tuple of int
        Numbers of the keys that sign at first.
    threshold : int
    at_once : bool
        Whether a publication goes to all front-ends at once, and not stage by stage.
    troubles : tuple of Trouble
    """

    seed: int
    scene: int
    brain: str
    setting: DynamicSetting
    rhythms: Rhythms
    signers: tuple[int, ...]
    threshold: int
    at_once: bool
    troubles: tuple[Trouble, ...]

    @property
    def place(self) -> Scene:
        """Its scene."""
        return scene(self.scene)


def drawn_spec(seed: int, kinds: tuple[Kind, ...] | None = None) -> WorldSpec:
    """Draw the world of a seed, with the kinds of trouble that it draws or with those that are asked for."""
    draw = stream(seed, "world")
    # Odd numbers are Ed25519, even ones SM2, which takes its time.
    signers = ((1, 2), (1, 3), (1,))[int(draw.choice(3, p=[0.2, 0.4, 0.4]))]
    spec = WorldSpec(
        seed=seed,
        scene=seed,
        brain="dynamic" if draw.random() < 0.8 else "static",
        setting=_setting(draw),
        rhythms=_rhythms(draw),
        signers=signers,
        threshold=int(draw.integers(1, len(signers) + 1)),
        at_once=bool(draw.random() < 0.4),
        troubles=(),
    )
    wanted = drawn_kinds(seed) if kinds is None else kinds
    return replace(spec, troubles=drawn_troubles(seed, wanted, spec.place.span_ns))


def _setting(draw: np.random.Generator) -> DynamicSetting:
    return DynamicSetting(
        memory_ns=int(draw.integers(1, 10)) * MINUTE_NS,
        busy=float(draw.uniform(0.3, 0.9)),
        gain_min=float(draw.choice([0.0, 0.1, 0.3])),
        step_max=float(draw.uniform(0.1, 1.0)),
        return_step=float(draw.uniform(0.3, 1.0)),
        settle_ns=int(draw.integers(0, 4)) * MINUTE_NS,
        server_target=float(draw.uniform(0.3, 0.9)),
        cool_down_ns=int(draw.integers(1, 6)) * MINUTE_NS,
        drain_ns=int(draw.integers(1, 10)) * MINUTE_NS,
        pace_target=float(draw.uniform(0.5, 1.0)),
        hold_of_lead=float(draw.uniform(0.2, 0.8)),
    )


def _rhythms(draw: np.random.Generator) -> Rhythms:
    period_ns = int(draw.choice([20, 30, 60])) * SECOND_NS
    soft_ns = int(draw.integers(3, 16)) * MINUTE_NS
    return Rhythms(
        config=WorldConfig(
            drain_ns=2 * HOUR_NS,
            background_ns=MINUTE_NS,
            telemetry=TelemetryConfig(period_ns=period_ns),
            alarm_ns=int(draw.integers(1, 10)) * SECOND_NS,
        ),
        agent=AgentSetting(
            wait_s=float(draw.choice([0.0, 0.0, 10.0])),
            poll_ns=int(draw.integers(8, 41)) * SECOND_NS,
            backoff_ns_max=int(draw.integers(10, 60)) * SECOND_NS,
            refused_ns=int(draw.integers(10, 60)) * SECOND_NS,
            refused_ns_max=2 * MINUTE_NS,
            stations_ns=int(draw.integers(20, 61)) * SECOND_NS,
            window_ns=period_ns,
            tasks_ns=int(draw.integers(5, 21)) * SECOND_NS,
        ),
        server=ServerSetting(
            canary_share=float(draw.uniform(0.1, 0.6)),
            stage_s=float(draw.integers(30, 180)),
            alive_s=90.0,
            epochs_kept=int(draw.integers(2, 10)),
        ),
        publication=PublicationSetting(
            least_ns=int(draw.integers(20, 91)) * SECOND_NS,
            soft_ns=soft_ns,
            renew_ns=soft_ns // 2,
            hard_ns=max(soft_ns + MINUTE_NS, int(draw.integers(20, 60)) * MINUTE_NS)
            if draw.random() < 0.2
            else 7 * DAY_NS,
            renew_plan_ns=10 * MINUTE_NS,
        ),
        look_s=float(draw.integers(1, 5)),
        turn_s=float(draw.choice([0.0, 0.5, 3.0])),
        restart_s=float(draw.integers(1, 20)),
        operator_s=float(draw.integers(20, 60)),
        tasks=int(draw.integers(0, 25)),
    )
