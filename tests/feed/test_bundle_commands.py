"""The verbs of `policy` about bundles: built from a brain file, shown, compared, exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from learnt_toy import learnt, toy

from exchange_router.bundle_files import read_bundle
from exchange_router.main import status
from feed.bundle.archive import pack
from feed.bundle.delta import apply
from feed.bundle.json_schema import schemas
from feed.bundle.nifi import nifi_csv
from feed.bundle.parsed import parse
from sim.brain_file import OUTLOOK, BrainFile, write_brain
from strategies.tides.forecast import Forecast


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prepared = learnt()
    path = tmp_path_factory.mktemp("brain") / "toy.brain"
    forecast = prepared.tides.forecast(prepared.plan.grid)
    of = {name: getattr(forecast, name) for name in OUTLOOK}
    for name in ("p50", "p95", "mean"):
        shape = (prepared.plan.grid.count, len(prepared.classes.classes) + 1)
        of[name] = of[name][:, :1].repeat(shape[1], axis=1)
    write_brain(path, BrainFile({"scenario": "toy"}, prepared, Forecast(prepared.plan.grid, **of)))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert status(["policy", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def bundles(brain: Path) -> tuple[Path, Path]:
    paths = brain.parent / "first.bundle", brain.parent / "second.bundle"
    for epoch, (path, hour) in enumerate(zip(paths, ("03", "10"), strict=True), start=1):
        words = ["--prepared", str(brain), "--epoch", str(epoch), "--out", str(path)]
        assert status(["policy", "build", *words, "--valid-from", f"2026-03-09T{hour}:00"]) == 0
    return paths


def test_building_again_gives_equal_bytes(brain: Path, bundles: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    again = tmp_path / "again.bundle"
    found = run(capsys, "build", "--prepared", brain, "--out", again, "--valid-from", "2026-03-08T19:00Z")
    assert again.read_bytes() == bundles[0].read_bytes()
    manifest = read_bundle(again).manifest
    assert found["manifest"] == manifest.model_dump(mode="json", exclude={"files"})
    assert manifest.topology == toy().network.digest
    assert set(manifest.inputs) == {"brain-file", "scenario"}
    assert manifest.provenance["command"].startswith("exchange-router policy build --prepared toy.brain")
    assert str(tmp_path) not in manifest.model_dump_json()


def test_show_counts_what_is_there(bundles: tuple[Path, Path], capsys) -> None:
    found, parsed = run(capsys, "show", bundles[0]), parse(read_bundle(bundles[0]))
    plan = learnt().plan
    assert found["static"]["ways"] == plan.paths.path_count
    assert found["static"]["slots"] == plan.grid.count
    assert found["dynamic"] == {"pairs": 0, "holds": 0, "servers": 0}
    assert found["rows"] == sum(
        len(run(capsys, "show", bundles[0], "--scope", scope)["scope_rows"]) for scope in parsed.platform.endpoints
    )


def test_show_tells_a_route(bundles: tuple[Path, Path], capsys) -> None:
    network, parsed = toy().network, parse(read_bundle(bundles[0]))
    source, *_, target = parsed.platform.endpoints
    found = run(capsys, "show", bundles[0], "--from", source, "--to", target, "--at", "2026-03-09T10:00")
    assert found["slot"] == 10
    group = parsed.platform.endpoints[target]
    routes = next(one for one in parsed.routes[parsed.platform.endpoints[source]].targets if one.target == group)
    assert sum(way["share"] for way in found["ways"]) == pytest.approx(1)
    for way, told in zip(routes.ways, found["ways"], strict=True):
        assert told["stations"] == [network.station_name[station] for station in way.stations]


def test_diff_tells_what_moved_and_its_delta_leads_there(bundles: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    delta = tmp_path / "step.delta"
    found = run(capsys, "diff", *bundles, "--delta", delta)
    first, second = map(read_bundle, bundles)
    assert pack(apply(delta.read_bytes(), first)) == bundles[1].read_bytes()
    assert found["moved"] == found["reordered"] == 0
    assert all(name.startswith("nifi/") for name in found["files"])
    assert found["pairs"] == sum(len(one.targets) for one in parse(second).routes.values())


def test_export_writes_what_nifi_reads_and_the_documents(bundles: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    bundle = read_bundle(bundles[0])
    parsed = parse(bundle)
    scope, group = next(iter(parsed.platform.endpoints.items()))
    run(capsys, "export", bundles[0], "--nifi", tmp_path / "one", "--scope", scope, "--at", "2026-03-09T10:00")
    data = (tmp_path / "one" / "routes.csv").read_bytes()
    assert data == nifi_csv(toy().network, parsed, group, 10, dynamic=False)
    assert next(csv.reader(data.decode().splitlines())) == ["key", "value"]
    run(capsys, "export", bundles[0], "--nifi", tmp_path / "all", "--documents", tmp_path / "documents")
    for path, held in bundle.files.items():
        assert (tmp_path / "documents" / path).read_bytes() == held
        if path.startswith("nifi/"):
            assert (tmp_path / "all" / path.removeprefix("nifi/")).read_bytes() == held


def test_schema_writes_all_of_them(tmp_path: Path, capsys) -> None:
    run(capsys, "schema", "--out", tmp_path)
    assert {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()} == schemas()


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("show", "absent.bundle"), "absent.bundle", 2),
        (("show", "BUNDLE", "--from", "toy-fe"), "--from", 2),
        (("show", "BUNDLE", "--scope", "nobody"), "nobody", 1),
        (("show", "BUNDLE", "--from", "FIRST", "--to", "nobody"), "--to", 2),
        (("show", "BUNDLE", "--from", "FIRST", "--to", "FIRST", "--scenario", "jiangxi"), "--scenario", 2),
        (("show", "BUNDLE", "--scope", "FIRST", "--at", "noon"), "--at", 2),
        (("show", "CUT"), "malformed: CUT", 1),
        (("export", "BUNDLE"), "--nifi", 2),
        (("build", "--prepared", "BUNDLE", "--out", "x"), "BUNDLE", 2),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_told_in_one_line(
    words: tuple[str, ...], told: str, code: int, bundles: tuple[Path, Path], tmp_path: Path, capsys
) -> None:
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(bundles[0].read_bytes()[:-100])
    first = next(iter(parse(read_bundle(bundles[0])).platform.endpoints))
    names = {"BUNDLE": str(bundles[0]), "CUT": str(cut), "FIRST": first}
    assert status(["policy", *(names.get(word, word) for word in words)]) == code
    error = capsys.readouterr().err
    for name, value in names.items():
        told = told.replace(name, value)
    assert told in error
    assert error.count("\n") == 1
