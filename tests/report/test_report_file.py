"""The report as a file: one, offline, the same bytes for the same results, and never half made."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_results import BRAINS, SLOTS, make_network, make_results, make_slots

import sim.report
from router_core.errors import BadInputError
from sim.data_plane import Refusal
from sim.report import build
from sim.report.packing import in_doublings, packed
from sim.report.province_map import APART, NOT_ON_MAP, province_map
from sim.report.slot_loads import MAP_VALUES_MAX, map_slots_per_step, queues, slot_loads, steps_for, worst_queues
from sim.results import network_table

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror=window.hacked=1>&{}\u2028\"'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("results") / "out", cities=2, counties=2)


class Parts(HTMLParser):
    """Scripts with their attributes and texts, and every address the page could fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.addresses: list[str] = []
        self.policy = ""
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value]
        if tag == "script":
            self.scripts.append((values, ""))
            self._open = True
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._open:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def parts_of(path: Path) -> Parts:
    parts = Parts()
    parts.feed(path.read_text(encoding="utf-8"))
    return parts


def test_same_results_give_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(folder).read_bytes()
    again = make_results(tmp_path / "elsewhere", cities=2, counties=2)
    monkeypatch.chdir(again)
    assert build(".").read_bytes() == first
    assert not list(again.glob("*.draft"))


def test_policy_forbids_the_network_and_names_the_scripts(folder: Path) -> None:
    parts = parts_of(build(folder))
    assert [address for address in parts.addresses if not address.startswith("#")] == []
    assert "default-src 'none'" in parts.policy
    assert "http" not in parts.policy
    run = [text for attributes, text in parts.scripts if attributes.get("type") != "application/json"]
    assert len(run) == 2
    allowed = re.search(r"script-src ([^;]*)", parts.policy)
    assert allowed
    hashes = {f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in run}
    assert set(allowed[1].split()) == hashes
    style = re.search(r"<style>(.*?)</style>", build(folder).read_text(encoding="utf-8"), re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = build(make_results(tmp_path, cities=1, counties=1, rename=HOSTILE))
    parts = parts_of(path)
    assert len(parts.scripts) == 3
    facts = json.loads(parts.scripts[0][1])
    assert facts["run"]["scenario"]["title_en"] == HOSTILE.format("Jiangxi provincial data exchange")
    assert facts["map"]["sites"][0][3] == HOSTILE.format("province")
    assert "<img src=x" not in path.read_text(encoding="utf-8")


def test_vendored_library_is_the_one_described() -> None:
    vendor = Path(sim.report.__file__).parent / "vendor"
    digest = sha256((vendor / "echarts.min.js").read_bytes()).hexdigest()
    readme = (vendor / "README.md").read_text(encoding="utf-8")
    assert digest in readme
    version = re.search(r"Apache ECharts (\d+\.\d+\.\d+)", readme)
    assert version
    assert f'version="{version[1]}"' in (vendor / "echarts.min.js").read_text(encoding="utf-8")
    notice = Path(sim.report.__file__).parents[2] / "NOTICE"
    assert version[0] in notice.read_text(encoding="utf-8")
    for name in ("LICENSE", "NOTICE", "LICENSE-d3", "LICENSE-zrender"):
        assert (vendor / name).stat().st_size > 0


@pytest.mark.parametrize(
    "name",
    ["run.json", "network.json", "ecmp/metrics.json", "shortest-path/stations.parquet", "ecmp/pairs.parquet"],
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_results_leave_the_old_report(folder: Path, tmp_path: Path, name: str, damage: str) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "copy"))
    before = build(damaged).read_bytes()
    if damage == "missing":
        (damaged / name).unlink()
    else:
        (damaged / name).write_bytes((damaged / name).read_bytes()[:-20])
    with pytest.raises(BadInputError) as caught:
        build(damaged)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (damaged / "report.html").read_bytes() == before
    assert not list(damaged.glob(".*.draft"))


@pytest.mark.parametrize("refusal", [reason for reason in Refusal if reason != Refusal.NOT_REFUSED])
def test_every_reason_to_refuse_has_its_chinese(refusal: Refusal) -> None:
    """In English the reason is its own text."""
    texts = (Path(sim.report.__file__).parent / "texts.js").read_text(encoding="utf-8")
    assert re.search(rf'"{re.escape(refusal.text)}": "[\u4e00-\u9fff]+"', texts)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"run\.json"):
        build(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_map_shows_every_line_between_sites_once() -> None:
    network = make_network(cities=3, counties=2, seed=7, rename="{}")
    table = network_table(network)
    province = province_map(table)
    assert {site.kind for site in province.sites} == {"centre", "gateway"}
    assert len(province.sites) == 1 + 3 + 3 * 2 + 1
    assert len(province.edges) == 2 * (3 + 3 * 2) + 1
    between = [
        line
        for line in range(network.line_count)
        if network.node_site[network.line_source[line]] != network.node_site[network.line_target[line]]
        and not network.is_endpoint[[network.line_source[line], network.line_target[line]]].any()
    ]
    shown = np.flatnonzero((province.station_row != NOT_ON_MAP) & (province.station_row < 2 * len(province.edges)))
    assert sorted(network.line_station[between].tolist()) == shown.tolist()
    for line in between:
        row = province.station_row[network.line_station[line]]
        edge = province.edges[row % len(province.edges)]
        ends = (edge.a, edge.b) if row < len(province.edges) else (edge.b, edge.a)
        names = [province.sites[end].name for end in ends]
        assert names[0] == network.node_name[network.line_source[line]].split("/")[0]
        assert names[1] == network.node_name[network.line_target[line]].split("/")[0]


def test_sites_of_the_map_lie_apart_and_within_its_frame() -> None:
    province = province_map(network_table(make_network(cities=11, counties=4, seed=2, rename="{}")))
    xy = np.array([(site.x, site.y) for site in province.sites])
    gaps = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    extent = np.ptp(xy, axis=0)
    assert gaps.min() > 0.5 * APART * np.hypot(*extent)
    # The gateway stands 10 degrees north of everything else and must not squeeze the province.
    assert extent[1] < 8


@pytest.mark.parametrize("step", [1, 4])
def test_loads_of_the_map_equal_a_plain_count(step: int) -> None:
    network = make_network(cities=2, counties=1, seed=4, rename="{}")
    province = province_map(network_table(network))
    slots = make_slots(network, np.random.default_rng(1), balanced=True)
    slots.waiting[:] = np.random.default_rng(2).integers(0, 50, len(slots.waiting))
    halves = [type(slots)(**{name: column[part::2] for name, column in vars(slots).items()}) for part in (0, 1)]
    load = slot_loads(province, iter(halves), SLOTS, step, 4)
    expected = np.zeros_like(load.percent)
    dense = np.zeros((network.station_count, SLOTS))
    for slot, station, share in zip(slots.slot, slots.station, slots.utilisation, strict=True):
        dense[station, slot] = share
        row = province.station_row[station]
        if row != NOT_ON_MAP:
            expected[row, slot // step] = max(expected[row, slot // step], round(100 * float(share)))
    np.testing.assert_array_equal(load.percent, expected)
    shown = province.station_row[slots.station] != NOT_ON_MAP
    queued = np.zeros((province.row_count, -(-SLOTS // step) * step), dtype=np.int64)
    np.add.at(queued, (province.station_row[slots.station[shown]], slots.slot[shown]), slots.waiting[shown])
    np.testing.assert_array_equal(load.waiting, in_doublings(queued.reshape(len(queued), -1, step).max(axis=2)))
    hours = dense[:, : 4 * (SLOTS // 4)].reshape(len(dense), -1, 4).mean(axis=2)
    left = dense[:, 4 * (SLOTS // 4) :].mean(axis=1)
    np.testing.assert_allclose(load.busiest, np.maximum(hours.max(axis=1), left), rtol=1e-5)
    np.testing.assert_allclose(load.mean, dense.mean(axis=1), rtol=1e-5)

    worst = worst_queues([load])
    assert [load.peak_waiting[station] for station in worst] == sorted(load.peak_waiting, reverse=True)[: len(worst)]
    found = queues(worst, iter(halves), SLOTS, step)
    waiting = np.zeros((network.station_count, SLOTS), dtype=int)
    waiting[slots.station, slots.slot] = slots.waiting
    for at in range(-(-SLOTS // step)):
        window = slice(at * step, (at + 1) * step)
        assert found.total[at] == waiting.sum(axis=0)[window].max()
        assert found.waiting[:, at].tolist() == waiting[list(worst), window].max(axis=1).tolist()


@pytest.mark.parametrize(("count", "limit"), [(1, 1), (288, 288), (288, 287), (10_000, 7), (5, 0)])
def test_steps_keep_within_their_limit(count: int, limit: int) -> None:
    step = steps_for(count, limit)
    assert -(-count // step) <= max(1, limit)
    assert step == 1 or -(-count // (step - 1)) > max(1, limit)


def test_a_nation_stays_within_the_budget_of_the_file() -> None:
    rows, slots, brains = 75_000, 576, 2
    step = map_slots_per_step(rows, slots, brains)
    assert rows * brains * -(-slots // step) <= MAP_VALUES_MAX
    assert map_slots_per_step(rows=300, slots=288, brains=2) == 1


def test_stored_loads_are_those_of_the_results(folder: Path) -> None:
    facts = json.loads(parts_of(build(folder)).scripts[0][1])
    edges, sites = facts["map"]["edges"], facts["map"]["sites"]
    assert [of["name"] for of in facts["brains"]] == list(BRAINS)
    rows = 2 * len(edges) + len(sites) + len(facts["map"]["nodes"]) + 2 * len(facts["map"]["twigs"])
    for encoded in facts["map"]["percent"]:
        steps = np.frombuffer(zlib.decompress(b64decode(encoded)), dtype=np.uint8).reshape(rows, -1)
        table = np.cumsum(steps, axis=1, dtype=np.uint8)
        assert table.shape[1] == SLOTS
        assert table.max() <= 100
        assert table.max() > 50


@pytest.mark.parametrize("seed", range(4))
def test_packed_tables_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 256, (int(rng.integers(0, 9)), int(rng.integers(1, 40)))).astype(np.uint8)
    steps = np.frombuffer(zlib.decompress(b64decode(packed(table))), dtype=np.uint8).reshape(table.shape)
    np.testing.assert_array_equal(np.cumsum(steps, axis=1, dtype=np.uint8), table)


def test_counts_in_doublings_are_right_within_three_percent() -> None:
    counts = np.unique(np.geomspace(1, 2_000_000, 5000).astype(np.int64))
    back = np.rint(2 ** (in_doublings(counts) / 12.0) - 1)
    assert (np.abs(back - counts) <= 0.03 * counts + 0.6).all()
    assert in_doublings(np.array([0, 2**60])).tolist() == [0, 255]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_station_is_somewhere_on_the_map_close_by(seed: int) -> None:
    table = network_table(make_network(cities=3, counties=2, seed=seed, rename="{}"))
    province = province_map(table)
    edges, sites, nodes, twigs = (len(of) for of in (province.edges, province.sites, province.nodes, province.twigs))
    assert sites + nodes == len(table.nodes.name)
    names = [node.name for node in (*province.sites, *province.nodes)]
    assert sorted(names) == sorted(table.nodes.name)
    assert province.row_count == 2 * edges + sites + nodes + 2 * twigs
    for row, role, owner in zip(province.station_row, table.stations.role, table.stations.owner, strict=True):
        if role != "line":
            assert names[row - 2 * edges] == table.nodes.name[owner]
            continue
        if row < 2 * edges:
            continue
        twig, back = province.twigs[(row - 2 * edges - sites - nodes) % twigs], row >= 2 * edges + sites + nodes + twigs
        ends = [names[-1 - end] if end < 0 else names[sites + end] for end in (twig.a, twig.b)]
        line = [table.nodes.name[end] for end in (table.lines.source[owner], table.lines.target[owner])]
        assert line == (ends[::-1] if back else ends)
    far = province_map(table, near=False)
    assert (far.sites, far.edges, far.nodes, far.twigs) == (province.sites, province.edges, (), ())
