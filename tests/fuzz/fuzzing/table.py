"""The one table of targets: by room, as a room's modules are imported together, and instrumented together."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final

from fuzzing.target import Target

# Module of each room's targets, and the modules whose branches guide its inputs: what parses, and no numba kernels.
ROOMS: Final[dict[str, tuple[str, ...]]] = {
    "of_scenarios": ("scenarios", "sim.fault_file", "sim.brain_setting", "sim.studies.growth.price_list"),
    "of_traces": (
        "traces.importers",
        "traces.reader",
        "traces.schema",
        "traces.matrices",
        "traces.surges",
        "traces.validate",
    ),
    "of_signing": ("feed.signing", "feed.server.auth", "feed.refusals"),
    "of_bundles": (
        "feed.bundle",
        "feed.agent.checks",
        "feed.agent.guards",
        "feed.agent.meaning",
        "feed.agent.agent_policy",
    ),
    "of_server": ("feed.server", "feed.bundle.documents", "uvicorn.protocols", "prometheus_client.openmetrics"),
    "of_agent": ("feed.agent", "feed.signing.strict_json"),
    "of_results": (
        *("sim.result_folder", "sim.parquet_tables", "sim.policy_folder", "sim.decision_log", "sim.mode_table"),
        *("sim.results", "sim.plan_table", "sim.explanation", "sim.studies.study", "sim.studies.tuning.journal"),
    ),
    "of_brains": (
        *("sim.brain_file", "strategies.static.parts", "strategies.static.week_plan", "strategies.tides.parts"),
        *("strategies.static.prepare", "feed.live.recording"),
    ),
    "of_options": (
        "exchange_router",
        "feed.signing.signer_specs",
        "feed.server.running",
        "sim.studies.survival.window",
    ),
}
# Which room has which target: known before anything is imported, so that a room can be imported instrumented.
NAMES: Final[dict[str, str]] = {
    **dict.fromkeys(("scenario", "scenario-forms", "changes", "faults", "setting", "prices"), "of_scenarios"),
    **dict.fromkeys(("trace", "sndlib", "totem", "repetita", "matrices", "surge"), "of_traces"),
    **dict.fromkeys(("envelope", "trust", "rotation", "key", "tokens", "bearer"), "of_signing"),
    **dict.fromkeys(("bundle", "bundle-document", "delta", "package"), "of_bundles"),
    **dict.fromkeys(("telemetry", "openmetrics", "status", "rollback", "http-wire", "http-app"), "of_server"),
    **dict.fromkeys(("server-answer", "task", "outcome", "alarms"), "of_agent"),
    **dict.fromkeys(("brain", "brain-parts", "recording"), "of_brains"),
    **dict.fromkeys(("result-json", "result-tables", "study", "journal"), "of_results"),
    **dict.fromkeys(("options",), "of_options"),
}


@cache
def target_of(name: str) -> Target:
    """Return a target by its name; its room is imported."""
    room = importlib.import_module(f"fuzzing.{NAMES[name]}")
    found: dict[str, Target] = {one.name: one for one in room.TARGETS}
    return found[name]
