"""What is set aside and why, what is an error, and the rules for absurd matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importer_twins import Twin, repetita_demands, repetita_graph, sndlib, totem, totem_domain

from router_core.errors import BadInputError
from traces.importers import ImportedTopology, Options, import_files
from traces.importers.screen import against_lines, against_series

BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


def totem_case(matrix, **more):
    return totem(matrix, date="2024-03-01T07:00:00", ids=Twin().names, **more)


def sndlib_case(matrix, **more):
    return sndlib(Twin(), matrix, time="20240301-0700", **more)


def with_entry(value: float) -> np.ndarray:
    matrix = Twin().demand(9)
    matrix[0, 1] = value
    return matrix


NUMBER = Twin().demand(9)[0, 1]
IN_TOTEM, IN_SNDLIB, IN_REPETITA = f">{NUMBER * 1000:.4f}<", f" {NUMBER!r} ", f" {round(NUMBER * 1000)}\n"
IN_SNDLIB = IN_SNDLIB.replace("np.float64(", "").replace(")", "")

CASES = [
    ("empty", "totem", "", "empty"),
    ("no XML", "totem", "<TrafficMatrixFile><info>", "well-formed"),
    ("binary", "totem", "\x00\x01\x02", "must be XML"),
    ("text", "sndlib", "hello", "must be XML"),
    ("wrong root", "totem", "<html/>", "root element"),
    ("bomb", "totem", BOMB + "<TrafficMatrixFile>&b;</TrafficMatrixFile>", "entities"),
    ("bomb", "sndlib", BOMB + "<network>&b;</network>", "entities"),
    ("external entity", "sndlib", EXTERNAL + "<network>&a;</network>", "entities"),
    ("odd encoding", "totem", '<?xml version="1.0" encoding="no-such"?><TrafficMatrixFile/>', "well-formed"),
    ("no matrix", "totem", "<TrafficMatrixFile><info/></TrafficMatrixFile>", "IntraTM"),
    ("no entries", "totem", totem_case(np.zeros((4, 4))), "entry"),
    ("unit", "totem", totem_case(with_entry(1), unit="pps"), "info.units.unit: must be one of"),
    ("no unit", "totem", totem_case(with_entry(1), unit=None), "info.units"),
    ("unit", "sndlib", sndlib_case(with_entry(1), unit="PACKETSPERSEC"), "meta.unit"),
    ("date", "totem", totem_case(with_entry(1)).replace("2024-03-01T07", "2024-13-01T07"), "info.date"),
    (
        "no date",
        "totem",
        totem_case(with_entry(1)).replace("<date>2024-03-01T07:00:00</date>", ""),
        "time: must be stated",
    ),
    ("date", "sndlib", sndlib_case(with_entry(1)).replace("20240301-0700", "20240231-0700"), "meta.time"),
    ("date", "sndlib", sndlib_case(with_entry(1)).replace("20240301-0700", "99990301-0700"), "meta.time: must lie in"),
    ("no date", "sndlib", sndlib_case(with_entry(1)).replace("<time>20240301-0700</time>", ""), "time: must be stated"),
    ("duration", "totem", totem_case(with_entry(1), duration="-900"), "info.duration"),
    ("neither links nor demands", "sndlib", sndlib_case(None), "links or demands"),
    ("node", "totem", totem_case(with_entry(1)).replace('src id="North"', 'src id="Nowhere"'), "Nowhere"),
    ("no id", "totem", totem_case(with_entry(1)).replace('src id="North"', "src"), "attribute id"),
    ("twice", "totem", totem_case(with_entry(1), body='<src id="North"><dst id="East">1</dst></src>'), "occurs once"),
    ("node", "sndlib", sndlib_case(with_entry(1)).replace("<source>North<", "<source>Nowhere<"), "Nowhere"),
    ("node", "repetita", repetita_demands(with_entry(1)).replace(" 0 1 ", " 0 4 "), "'4'"),
    ("node", "repetita", repetita_demands(with_entry(1)).replace(" 0 1 ", " 0 x "), "demand_0.dest"),
    ("count", "repetita", repetita_demands(with_entry(1), count=11), "states 11 demands"),
    ("count", "repetita", repetita_demands(with_entry(1), count=13), "states 13 demands"),
    ("UTF-8", "repetita", repetita_demands(with_entry(1)).replace("demand_0", "\udcff"), "UTF-8"),
    ("absurd", "totem", totem_case(with_entry(1e6)), "North > East"),
    ("absurd", "sndlib", sndlib_case(with_entry(1e6)), "North > East"),
    ("absurd", "repetita", repetita_demands(with_entry(1e6)), "North > East"),
    ("absurd in total", "totem", totem_case(np.full((4, 4), 10_000.0)), "total demand"),
    ("too large a number", "sndlib", sndlib_case(with_entry(1e15)), "at most 1e+12"),
]
for bad, rule in (
    ("-1", "negative"),
    ("nan", "finite"),
    ("inf", "finite"),
    ("1e999", "finite"),
    ("12,5", "decimal"),
    ("１", "decimal"),
):
    CASES += [
        (bad, "totem", totem_case(Twin().demand(9)).replace(IN_TOTEM, f">{bad}<", 1), rule),
        (bad, "sndlib", sndlib_case(Twin().demand(9)).replace(IN_SNDLIB, f" {bad} ", 1), rule),
        (bad, "repetita", repetita_demands(Twin().demand(9)).replace(IN_REPETITA, f" {bad}\n", 1), rule),
    ]


@pytest.fixture
def good(folder, twin):
    """A topology and one good matrix of each format."""
    return {
        "totem": [
            folder.put("net.xml", totem_domain(twin)),
            folder.put("good.xml", totem(twin.demand(), ids=twin.names)),
        ],
        "sndlib": [
            folder.put("s.xml", sndlib(twin, None, links=True)),
            folder.put("g.xml", sndlib(twin, twin.demand())),
        ],
        "repetita": [
            folder.put("n.graph", repetita_graph(twin)),
            folder.put("n.demands", repetita_demands(twin.demand())),
        ],
    }


@pytest.mark.parametrize("detect", [True, False], ids=["detected", "stated"])
@pytest.mark.parametrize(("_what", "kind", "text", "reason"), CASES)
def test_a_broken_matrix_is_set_aside_by_name_and_reason_and_the_rest_goes_on(
    folder, twin, good, _what, kind, text, reason, detect
):
    bad = folder.put("broken", text.encode("utf-8", "surrogateescape"))
    result = import_files([good[kind][0], bad, good[kind][1]], None if detect else kind)
    assert [name for name, _ in result.quarantined] == [str(bad)]
    assert reason in result.quarantined[0][1]
    assert "\n" not in result.quarantined[0][1]
    assert np.allclose(result.series.demand_mbps, twin.demand()[None])


@pytest.mark.parametrize(("_what", "kind", "text", "reason"), [case for case in CASES if case[0] != "no date"])
def test_nothing_that_remains_is_an_error_with_the_reason(folder, good, _what, kind, text, reason):
    bad = folder.put("broken", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError) as caught:
        import_files([good[kind][0], bad])
    assert caught.value.file == str(bad)
    assert reason in str(caught.value)
    again = folder.put("again", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError, match="at least one of 2"):
        import_files([good[kind][0], bad, again])


@pytest.mark.parametrize(("kind", "text"), [case[1:3] for case in CASES if case[0] == "no date"])
def test_where_no_file_states_a_time_it_is_invented_and_told(folder, good, kind, text):
    result = import_files([good[kind][0], folder.put("undated", text)])
    assert str(result.series.t_utc[0]) == "1970-01-01T00:00:00"
    assert any("state no time" in note and "assumed" in note for note in result.notes)


def test_a_file_of_another_format_is_set_aside_only_if_the_format_is_stated(folder, twin, good):
    with pytest.raises(BadInputError, match="one format"):
        import_files([*good["totem"], good["repetita"][1]])
    result = import_files([*good["totem"], good["repetita"][1]], "totem")
    assert [name for name, _ in result.quarantined] == [str(good["repetita"][1])]
    assert "stated format totem" in result.quarantined[0][1]


def test_what_cannot_be_opened_is_an_error(folder, good):
    for path in (folder.path / "missing.xml", folder.path, "nul\0name"):
        with pytest.raises(BadInputError, match="can be read"):
            import_files([*good["totem"], path])


def test_an_import_without_files_or_of_an_unknown_format_is_an_error(good):
    with pytest.raises(BadInputError, match="at least one"):
        import_files([])
    with pytest.raises(BadInputError, match="format: must be one of"):
        import_files(good["totem"], "gml")


@pytest.mark.parametrize("kind", ["totem", "sndlib", "repetita"])
def test_without_a_topology_there_is_no_import(good, kind):
    with pytest.raises(BadInputError, match="topology"):
        import_files([good[kind][1]])


def test_two_topologies_must_be_the_same(folder, twin, good):
    other = folder.put("other.xml", totem_domain(Twin(rates=[1.0] * 5)))
    with pytest.raises(BadInputError, match="same as that of"):
        import_files([*good["totem"], other])
    again = folder.put("again.xml", totem_domain(twin))
    assert import_files([*good["totem"], again]).quarantined == ()


def test_two_matrices_at_one_time_are_an_error_unless_one_is_set_aside(folder, twin, good):
    second = folder.put("second.xml", totem(twin.demand(2), ids=twin.names))
    with pytest.raises(BadInputError, match=r"second\.xml: time: .*good\.xml"):
        import_files([*good["totem"], second])
    corrupt = folder.put("second.xml", totem(twin.demand(2) * 1e6, ids=twin.names))
    assert [name for name, _ in import_files([*good["totem"], corrupt]).quarantined] == [str(corrupt)]


def test_matrices_are_put_in_the_order_of_time(folder, twin, good):
    paths = [
        folder.put(f"{hour}.xml", totem(twin.demand(hour), date=f"2024-03-02T{hour:02}:00:00", ids=twin.names))
        for hour in (9, 3, 6)
    ]
    series = import_files([good["totem"][0], *paths]).series
    assert np.allclose(series.demand_mbps, np.stack([twin.demand(hour) for hour in (3, 6, 9)]))
    assert (np.diff(series.t_utc.astype(np.int64)) == 3 * 3600).all()


def test_the_same_files_give_the_same_result_in_any_order(folder, twin, good):
    bad = folder.put("bad.xml", "")
    a = import_files([*good["totem"], bad])
    b = import_files([bad, *reversed(good["totem"])])
    assert np.array_equal(a.series.demand_mbps, b.series.demand_mbps)
    assert a.quarantined == b.quarantined


# The rules themselves


def star(rates: list[float], directed: bool = False) -> ImportedTopology:
    count = len(rates) + 1
    return ImportedTopology(
        name="star",
        node_names=tuple(f"n{index}" for index in range(count)),
        xy=np.zeros((count, 2)),
        lines=np.array([(0, index) for index in range(1, count)]),
        directed=directed,
        rate_mbps=np.array(rates),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1, 1e5), min_size=2, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.5, 10.0])
)
def test_whatever_the_lines_can_carry_is_never_absurd(rates, seed, headroom):
    topology = star(rates)
    rng = np.random.default_rng(seed)
    # Any mix of flows along paths of the star that fills no line beyond its rate is carried.
    demand, free = np.zeros((len(rates) + 1,) * 2), [np.array(rates), np.array(rates)]
    for _ in range(10):
        a, b = rng.choice(len(rates) + 1, 2, replace=False)
        room = min(free[0][a - 1] if a else np.inf, free[1][b - 1] if b else np.inf)
        share = 0.999 * room * rng.random()
        demand[a, b] += share
        if a:
            free[0][a - 1] -= share
        if b:
            free[1][b - 1] -= share
    np.fill_diagonal(demand, 1e9)
    assert against_lines(demand, topology, headroom) is None


@pytest.mark.parametrize("headroom", [1.0, 10.0])
def test_one_pair_is_held_against_the_narrower_of_its_nodes(headroom):
    topology = star([100.0, 40.0, 60.0])
    demand = np.zeros((4, 4))
    demand[1, 2] = 40.0 * headroom
    assert against_lines(demand, topology, headroom) is None
    demand[1, 2] *= 1.001
    found = against_lines(demand, topology, headroom)
    assert found is not None
    assert found.place == "demand n1 > n2"


def test_a_directed_line_bounds_its_own_direction_alone():
    topology = star([100.0, 100.0], directed=True)
    demand = np.zeros((3, 3))
    demand[0, 1] = 100.0
    assert against_lines(demand, topology, 1.0) is None
    assert against_lines(demand.T, topology, 1.0) is not None


def test_a_total_beyond_all_lines_is_absurd_though_each_pair_is_not():
    topology = star([100.0] * 3)
    demand = np.full((4, 4), 55.0)
    np.fill_diagonal(demand, 0.0)
    assert against_lines(demand, topology, 1.0).place == "total demand"
    assert against_lines(demand, topology, 1.2) is None


def test_a_wide_headroom_lets_a_surge_through(folder, twin, good):
    surge = folder.put("surge.xml", totem_case(with_entry(30_000.0)))
    assert import_files([*good["totem"], surge]).quarantined != ()
    assert import_files([*good["totem"], surge], options=Options(headroom=40)).quarantined == ()
    with pytest.raises(BadInputError, match="headroom"):
        Options(headroom=0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.floats(0.05, 0.8))
def test_an_ordinary_series_keeps_all_and_a_counter_gone_wild_is_found(seed, count, spread):
    rng = np.random.default_rng(seed)
    totals = 100.0 * np.exp(spread * rng.uniform(-1, 1, count))
    assert not against_series(totals).any()
    place = int(rng.integers(count))
    # Logarithms lie within 1.6 of each other, so ten robust deviations are at most 24: 1e12 is 27.6 above.
    totals[place] *= 1e12
    assert np.flatnonzero(against_series(totals)).tolist() == [place]


def test_few_totals_small_totals_and_equal_totals_are_never_absurd():
    assert not against_series(np.array([1.0, 1.0, 1.0, 1e12])).any()
    assert not against_series(np.array([100.0, 101.0, 99.0, 100.0, 1e-9, 0.0, 0.0])).any()
    assert not against_series(np.array([5.0] * 9 + [49.0])).any()
    assert against_series(np.array([5.0] * 9 + [51.0])).tolist() == [False] * 9 + [True]
    assert not against_series(np.zeros(9)).any()


def test_traffic_within_nodes_is_held_against_the_series(folder, twin, good):
    paths = []
    for hour in range(6):
        matrix = twin.demand(hour) + np.diag([50.0, 0, 0, 60.0 + hour]) * (1e7 if hour == 4 else 1)
        paths.append(folder.put(f"h{hour}.xml", totem(matrix, date=f"2024-03-05T0{hour}:00:00", ids=twin.names)))
    result = import_files([good["totem"][0], *paths])
    assert [name for name, _ in result.quarantined] == [str(paths[4])]
    assert "demand within nodes" in result.quarantined[0][1]
    assert len(import_files([good["totem"][0], *paths[3:]]).series) == 3, "three matrices have no spread to speak of"
