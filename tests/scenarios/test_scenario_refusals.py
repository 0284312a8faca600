"""A bad scenario file is refused with file, key path, rule and value, in one line, and nothing is built."""

import copy

import pytest
from scenario_files import at, changed, tables_of, text_of, without, written

import scenarios
from router_core.errors import BadInputError

TOY, JIANGXI, NATIONAL = tables_of("toy"), tables_of("jiangxi"), tables_of("national")

SPILL, CREDIT = {"fixed_us": 1.0, "rate_mbps": 100.0}, {"mb": 1.0, "return_ms": 1.0}


def refused(path, place, rule, value=None):
    with pytest.raises(BadInputError) as caught:
        scenarios.load(str(path))
    error = caught.value
    assert (error.place, error.file) == (place, str(path))
    assert rule in error.rule
    if value is not None:
        assert error.value == value
    line = str(error)
    assert "\n" not in line
    assert line.startswith(f"{path}: {place}: ")
    assert "(got " in line
    return error


def node(name):
    return next(index for index, item in enumerate(TOY["nodes"]) if item["name"] == name)


def line(a, b):
    return next(index for index, item in enumerate(TOY["lines"]) if (item["a"], item["b"]) == (a, b))


ONE_KEY = [
    # base, path, new value, place, rule
    (TOY, ("schema",), 2, "schema", "must be 1"),
    (TOY, ("schema",), True, "schema", "must be 1"),
    (TOY, ("form",), "flat", "form", "must be one of levels, explicit, composition"),
    (TOY, ("name",), "", "name", "at least 1 character"),
    (TOY, ("name",), "two\nlines", "name", "must match pattern"),
    (TOY, ("title_en",), 7, "title_en", "must be a valid string"),
    (TOY, ("colour",), "red", "colour", "unknown key"),
    (TOY, ("nodes", 3, "colour"), "red", "nodes[3].colour", "unknown key"),
    (TOY, ("nodes", 3, "kind"), "hub", "nodes[3].kind", "must be 'front_end', 'centre'"),
    (TOY, ("nodes", 3, "name"), "province", "nodes[3].name", "unique"),
    (TOY, ("nodes", 3, "zone"), "middle", "nodes[3].zone", "must name one of the zones"),
    (TOY, ("nodes", 0, "pool"), "sky", "nodes[0].pool", "must name one of the pools"),
    (TOY, ("nodes", 0, "service", "servers"), 0, "nodes[0].service.servers", "greater than or equal to 1"),
    (TOY, ("nodes", 0, "service", "servers"), 2.0, "nodes[0].service.servers", "must be a valid integer"),
    (TOY, ("nodes", 0, "service", "fixed_us"), 0.0, "nodes[0].service.fixed_us", "greater than or equal to 0.001"),
    (TOY, ("nodes", 0, "process", "rate_mbps"), -5.0, "nodes[0].process.rate_mbps", "greater than or equal to 1"),
    (TOY, ("nodes", 0, "lat"), 91.0, "nodes[0].lat", "less than or equal to 90"),
    (TOY, ("nodes", 0, "lon"), float("nan"), "nodes[0].lon", "finite number"),
    (TOY, ("nodes", 1, "process"), TOY["nodes"][0]["process"], "nodes[1].process", "a centre, and nothing else"),
    (TOY, ("nodes", 1, "unit"), "east-tax", "nodes[1].unit", "an endpoint, and nothing else"),
    (TOY, ("nodes", node("east-tax-1"), "unit"), "nobody", f"nodes[{node('east-tax-1')}].unit", "one of the units"),
    (TOY, ("lines", 2, "rate_mbps"), float("inf"), "lines[2].rate_mbps", "finite number"),
    (TOY, ("lines", 2, "rate_mbps"), "fast", "lines[2].rate_mbps", "must be a valid number"),
    (TOY, ("lines", 2, "propagation_ms"), -0.1, "lines[2].propagation_ms", "greater than or equal to 0"),
    (TOY, ("lines", 2, "a"), "nowhere", "lines[2].a", "must name one of the nodes"),
    (TOY, ("lines", 0, "b"), "province", "lines[0]", "two different nodes"),
    (TOY, ("lines", 12, "carrier"), "carrier-z", "lines[12].carrier", "must name one of the carriers"),
    (TOY, ("lines", 12, "background"), "noise", "lines[12].background", "must name one of the background"),
    (TOY, ("lines", 12, "background_scale"), 0.0, "lines[12].background_scale", "greater than or equal to 0.01"),
    (TOY, ("background", 1, "name"), "carrier-a-city", "background[1].name", "unique"),
    (TOY, ("background", 1, "hours", 5), 0.96, "background[1].hours[5]", "less than or equal to 0.95"),
    (TOY, ("background", 1, "hours"), [0.1] * 23, "background[1].hours", "at least 24 items"),
    (TOY, ("resources", 3, "unit"), "nobody", "resources[3].unit", "must name one of the units"),
    (TOY, ("resources", 3, "system"), "cases", "resources[3].system", "one of its own unit"),
    (TOY, ("resources", 3, "grants"), ["east-tax"], "resources[3].grants", "conditionally shared resources alone"),
    (TOY, ("resources", 2, "grants", 1), "nobody", "resources[2].grants[1]", "must name one of the units"),
    (TOY, ("resources", 2, "grants", 1), "east-finance", "resources[2].grants", "granted to a unit once"),
    (TOY, ("resources", 2, "sharing"), "sometimes", "resources[2].sharing", "must be 'unconditional'"),
    (TOY, ("units", 1, "name"), "province-data", "units[1].name", "unique"),
    (TOY, ("zones",), ["outer", "outer"], "zones", "names are unique"),
    (TOY, ("demand", "peak_utilisation"), 1.0, "demand.peak_utilisation", "less than 1"),
    (TOY, ("demand", "exchanges_per_day"), 0, "demand.exchanges_per_day", "greater than or equal to 1"),
    (TOY, ("demand", "types", 0, "share"), 0.2, "demand.types", "sum to 1"),
    (TOY, ("demand", "types", 0, "period_minutes"), 0.0, "demand.types[0].period_minutes", "period above 0"),
    (TOY, ("demand", "types", 2, "period_minutes"), 5.0, "demand.types[2].period_minutes", "exchange task has 0"),
    (TOY, ("demand", "types", 0, "period_minutes"), 7.0, "demand.types[0].period_minutes", "must divide a day"),
    (TOY, ("demand", "types", 0, "deadline_s"), 0.0, "demand.types[0].deadline_s", "held back within"),
    (TOY, ("demand", "types", 0, "hours"), [0.0] * 24, "demand.types[0].hours", "at least one hour"),
    (TOY, ("demand", "types", 1, "name"), "nightly_sync", "demand.types[1].name", "unique"),
    (TOY, ("demand", "types", 0, "size", "max_mb"), 0.001, "demand.types[0].size.max_mb", "below the median"),
    (TOY, ("demand", "types", 0, "size", "tail_alpha"), 1.0, "demand.types[0].size.tail_alpha", "greater than 1"),
    (TOY, ("demand", "types", 0, "size", "tail_share"), 0.5, "demand.types[0].size.tail_share", "less than 0.5"),
    (TOY, ("demand", "types", 0, "mode"), "fax", "demand.types[0].mode", "must be 'docking'"),
    (TOY, ("nodes", 0, "service", "discipline"), "lifo", "nodes[0].service.discipline", "must be 'fifo', 'priority'"),
    (TOY, ("nodes", 0, "process", "buffer_mb"), -1.0, "nodes[0].process.buffer_mb", "greater than or equal to 0"),
    (TOY, ("nodes", 0, "process", "buffer_mb"), 8.0, "nodes[0].process.buffer_mb", "`spill` must say"),
    (TOY, ("nodes", 0, "process", "spill"), SPILL, "nodes[0].process.buffer_mb", "must say how much waits in memory"),
    (TOY, ("nodes", 0, "process", "spill"), {"fixed_us": 1.0}, "nodes[0].process.spill.rate_mbps", "missing"),
    (TOY, ("lines", 2, "buffer_mb"), 8.0, "lines[2].buffer_mb", "`spill` must say"),
    (TOY, ("nodes", 0, "credit"), CREDIT, "nodes[0].credit", "only endpoints are held back"),
    (TOY, ("nodes", 15, "credit"), {**CREDIT, "return_ms": 0.0}, "nodes[15].credit.return_ms", "equal to 0.001"),
    (TOY, ("nodes", 15, "credit"), {**CREDIT, "mb": True}, "nodes[15].credit.mb", "must be a valid number"),
    (TOY, ("transport",), {"chunk_mb": 0.001}, "transport.chunk_mb", "greater than or equal to 0.001024"),
    (TOY, ("transport",), {"retries": 1_001}, "transport.retries", "less than or equal to 1000"),
    (TOY, ("transport",), {"retries": 3.0}, "transport.retries", "must be a valid integer"),
    (TOY, ("transport",), {"backoff_s": 301.0}, "transport.backoff_max_s", "must not be below backoff_s"),
    (TOY, ("transport",), {"backoff_s": 0.0}, "transport.backoff_s", "greater than or equal to 0.001"),
    (JIANGXI, ("services", "router", "credit"), CREDIT, "services.router.credit", "unknown key"),
    (JIANGXI, ("lines", "backbone", "buffer_mb"), 1.0, "lines.backbone.buffer_mb", "nobody waits at a shared station"),
    (JIANGXI, ("transport", "chunk_mb"), float("inf"), "transport.chunk_mb", "finite number"),
    (NATIONAL, ("transport",), {"chunk_mb": 8.0}, "transport", "unknown key"),
    (JIANGXI, ("cities", 3, "front_ends"), -1, "cities[3].front_ends", "greater than or equal to 1"),
    (JIANGXI, ("cities", 3, "front_ends"), 2, "cities[3].front_ends", "at least one front-end"),
    (JIANGXI, ("cities", 3, "counties", 1, "units"), 9, "cities[3].counties[1].front_ends", "each of the 9 units"),
    (JIANGXI, ("cities", 3, "neighbour"), "wuhan", "cities[3].neighbour", "another of the cities"),
    (JIANGXI, ("cities", 3, "neighbour"), "pingxiang", "cities[3].neighbour", "another of the cities"),
    (JIANGXI, ("cities", 3, "name"), "nanchang", "cities[3].name", "unique"),
    (JIANGXI, ("cities", 3, "name"), "nanchang-a", "cities[3].name", "unique"),
    (JIANGXI, ("cities", 3, "name"), "gateway-1", "cities[3].name", "unique"),
    (JIANGXI, ("carriers", 1, "name"), "carrier-a", "carriers[1].name", "two names"),
    (JIANGXI, ("carriers", 1, "detour"), 0.9, "carriers[1].detour", "greater than or equal to 1"),
    (JIANGXI, ("province", "inner_units"), 93, "province.inner_units", "left outside"),
    (JIANGXI, ("province", "inner_units"), 80, "province.inner_front_ends", "at least one front-end"),
    (JIANGXI, ("province", "inner_units"), 0, "province.inner_front_ends", "there are none"),
    (JIANGXI, ("province", "front_ends"), 100, "province.front_ends", "outer units need"),
    (JIANGXI, ("province", "direct_units"), 94, "province.direct_units", "must not exceed units"),
    (JIANGXI, ("catalogue", "data_unit_name"), "anyi-data-1", "catalogue.data_unit_name", "unique"),
    (JIANGXI, ("national", "name"), "province-data", "national.name", "unique"),
    (JIANGXI, ("national", "name"), "nanchang", "cities[0].name", "unique"),
    (JIANGXI, ("national", "name"), "nanchang-a", "province.name", "unique"),
    (JIANGXI, ("province", "inner_units"), 30, "province.inner_front_ends", "at least one"),
    (JIANGXI, ("cities", 0, "units"), 10**30, "cities[0].units", "less than or equal to 10000"),
    (JIANGXI, ("catalogue", "unconditional_share"), 0.5, "catalogue.unconditional_share", "sum to 1"),
    (JIANGXI, ("catalogue", "resources_max"), 1, "catalogue.resources_max", "below resources_min"),
    (JIANGXI, ("catalogue", "sectors", 2, "name"), "data", "catalogue.sectors[2].name", "unique"),
    (JIANGXI, ("catalogue", "high_use", 2, "name"), "credit", "catalogue.high_use[6].name", "unique"),
    (JIANGXI, ("background", "profiles", 0, "carrier"), "x", "background.profiles[0].carrier", "must be one of"),
    (JIANGXI, ("background", "profiles", 2, "level"), "city", "background.profiles[2].level", "one profile a level"),
    (JIANGXI, ("lines", "local"), 5, "lines.local", "valid dictionary"),
    (JIANGXI, ("services", "centre_pass", "city", "fixed_us"), "1", "services.centre_pass.city.fixed_us", "number"),
    (NATIONAL, ("template",), "nowhere", "template", "must be one of jiangxi"),
    (NATIONAL, ("template",), "national", "template", "must not be a composition"),
    (NATIONAL, ("members", 4, "name"), "beijing", "members[4].name", "unique"),
    (NATIONAL, ("rings", 1, "gateway"), "crossing", "rings[1].gateway", "gateway of the template"),
    (NATIONAL, ("rings", 1, "name"), "ring-1", "rings[1].name", "unique"),
    (NATIONAL, ("rings", 1, "order", 3), "beijing", "rings[1].order[3]", "each once"),
    (NATIONAL, ("rings", 1, "order", 3), "atlantis", "rings[1].order[3]", "passes members"),
    (NATIONAL, ("national", "member"), "atlantis", "national.member", "one of the members"),
    (NATIONAL, ("national", "name"), "beijing.province", "national.name", "unique"),
    (NATIONAL, ("cross", "granted_share"), 1.01, "cross.granted_share", "less than or equal to 1"),
    (NATIONAL, ("demand", "types"), [], "demand.types", "unknown key"),
]


@pytest.mark.parametrize(
    ("base", "path", "value", "place", "rule"),
    ONE_KEY,
    ids=[f"{c[0]['name']}-{c[3]}-{i}" for i, c in enumerate(ONE_KEY)],
)
def test_one_wrong_key_is_named(tmp_path, base, path, value, place, rule):
    refused(written(tmp_path, changed(base, path, value)), place, rule)


MISSING = [
    (TOY, ("schema",), "schema"),
    (TOY, ("form",), "form"),
    (TOY, ("title_zh",), "title_zh"),
    (TOY, ("demand",), "demand"),
    (TOY, ("nodes", 2, "lat"), "nodes[2].lat"),
    (TOY, ("nodes", 2, "service", "rate_mbps"), "nodes[2].service.rate_mbps"),
    (TOY, ("lines", 7, "b"), "lines[7].b"),
    (TOY, ("demand", "types", 3, "fan_out"), "demand.types[3].fan_out"),
    (JIANGXI, ("cities", 10, "counties", 4, "units"), "cities[10].counties[4].units"),
    (JIANGXI, ("lines", "backbone"), "lines.backbone"),
    (JIANGXI, ("province", "cloud", "start_s"), "province.cloud.start_s"),
    (NATIONAL, ("members", 30, "lon"), "members[30].lon"),
    (NATIONAL, ("cross",), "cross"),
]


@pytest.mark.parametrize(("base", "path", "place"), MISSING, ids=[f"{c[0]['name']}-{c[2]}" for c in MISSING])
def test_a_missing_key_is_named(tmp_path, base, path, place):
    error = refused(written(tmp_path, without(base, path)), place, "")
    assert error.value == "nothing"


def test_a_misspelt_key_is_named_rather_than_the_one_it_misses(tmp_path):
    tables = without(TOY, ("lines", 7, "rate_mbps"))
    tables["lines"][7]["rate_mpbs"] = 10.0
    refused(written(tmp_path, tables), "lines[7].rate_mpbs", "unknown key", 10.0)


def test_an_endpoint_without_a_line_is_named(tmp_path):
    tables = copy.deepcopy(TOY)
    del tables["lines"][line("east-finance-1", "east")]
    refused(written(tmp_path, tables), f"nodes[{node('east-finance-1')}]", "hangs on at least one centre")


def test_a_node_that_nothing_joins_is_named(tmp_path):
    tables = copy.deepcopy(TOY)
    tables["nodes"].append({**TOY["nodes"][node("east-a")], "name": "lost"})
    refused(written(tmp_path, tables), f"nodes[{len(tables['nodes']) - 1}]", "joined to every other")


def test_two_islands_joined_by_a_front_end_alone_are_refused(tmp_path):
    tables = copy.deepcopy(TOY)
    tables["lines"] = [
        item
        for item in TOY["lines"]
        if {item["a"], item["b"]} - {"west-a", "west-b"} == {item["a"], item["b"]}
        or not {item["a"], item["b"]} & {"province-a", "province-b"}
    ]
    refused(written(tmp_path, tables), f"nodes[{node('west')}]", "no endpoint on the way")


def test_a_front_end_on_a_router_a_gateway_or_another_is_refused(tmp_path):
    for home, rule in (
        ("east-a", "never on a router"),
        ("gateway-1", "a front-end hangs on centres"),
        ("east-tax-2", "never transit"),
    ):
        tables = copy.deepcopy(TOY)
        index = line("east-tax-1", "east")
        tables["lines"][index]["b"] = home
        place = f"nodes[{node('east-tax-1')}]" if home == "gateway-1" else f"lines[{index}]"
        refused(written(tmp_path, tables), place, rule)


def test_an_external_on_a_centre_is_refused(tmp_path):
    index = line("national-platform", "gateway-1")
    tables = changed(TOY, ("lines", index, "b"), "province")
    refused(written(tmp_path, tables), f"nodes[{node('national-platform')}]", "hangs on gateways")


def test_nothing_but_the_crossing_joins_two_zones(tmp_path):
    index = line("province-security-1", "crossing")
    tables = changed(TOY, ("lines", index, "b"), "province")
    refused(written(tmp_path, tables), f"lines[{index}]", "nothing joins two zones", ("inner", "outer"))


def test_a_resource_of_a_unit_without_front_end_is_refused(tmp_path):
    tables = copy.deepcopy(TOY)
    tables["units"].append({**TOY["units"][3], "name": "paper-office"})
    tables["resources"][5]["unit"] = "paper-office"
    refused(written(tmp_path, tables), "resources[5].unit", "has a front-end", "paper-office")


def test_a_network_without_centre_is_refused(tmp_path):
    tables = copy.deepcopy(TOY)
    tables["nodes"] = [TOY["nodes"][node("province-a")]]
    tables["lines"] = []
    tables["resources"] = [{**TOY["resources"][0], "system": "x"}]
    refused(written(tmp_path, tables), "nodes", "at least one")


def test_a_template_without_one_national_endpoint_is_refused(tmp_path):
    toy = copy.deepcopy(TOY)
    index = node("national-platform")
    del toy["nodes"][index]
    toy["lines"] = [item for item in toy["lines"] if item["a"] != "national-platform"]
    toy["resources"] = [item for item in toy["resources"] if item["unit"] != "nation-data"]
    written(tmp_path, toy, "lonely.toml")
    refused(written(tmp_path, changed(NATIONAL, ("template",), "lonely.toml")), "template", "one external endpoint")


TEXTS = [
    (b"schema = 1\nform = \n", "line 2, column 8", "must be valid TOML"),
    (b"schema = 1\nschema = 1\n", "line 2, column 11", "must be valid TOML"),
    (b'name = "open\n', "line 1, column 13", "must be valid TOML"),
    (b"[nodes\n", "line 1, column 7", "must be valid TOML"),
    (b'schema = 1\nname = "\xff\xfe"\n', "line 2", "must be UTF-8"),
    (b"x = " + b"[" * 100_000, "the file", "nest"),
    (b"", "schema", "must be 1"),
    (b"x = " + b"9" * 5000, None, "must be valid TOML"),
]


@pytest.mark.parametrize(("content", "place", "rule"), TEXTS, ids=range(len(TEXTS)))
def test_a_text_that_is_no_toml_is_refused(tmp_path, content, place, rule):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        scenarios.load(str(path))
    assert caught.value.file == str(path)
    assert place is None or caught.value.place == place
    assert rule in caught.value.rule
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["jianxi", "no/such/file.toml", "", ".", "a\0b", "x" * 5000, "\ud800"])
def test_what_is_no_scenario_is_refused(name):
    for function in (scenarios.load, scenarios.titles):
        with pytest.raises(BadInputError) as caught:
            function(name)
        assert caught.value.place == "scenario"
        assert "must be one of jiangxi, jiangxi-neighbours, toy, national" in caught.value.rule
        assert caught.value.value == name


VARIANT = {"schema": 1, "extends": "toy", "name": "v", "title_en": "V", "title_zh": "变"}


def test_a_variant_replaces_merges_and_appends(tmp_path):
    toy = scenarios.load("toy")
    tables = {**VARIANT, "demand": {"exchanges_per_day": 99}, "zones": ["outer", "inner", "third"]}
    tables["lines"] = [{**at(TOY, ("lines", 12))}]
    platform = scenarios.load(written(tmp_path, tables))
    assert platform.name == "v"
    assert platform.demand.exchanges_per_day == 99
    assert platform.demand.types == toy.demand.types
    assert platform.network.zones == ("outer", "inner", "third")
    assert platform.network.line_count == toy.network.line_count + 2


@pytest.mark.parametrize(
    ("tables", "place", "rule"),
    [
        ({**VARIANT, "extends": "nowhere"}, "extends", "must be one of"),
        ({**VARIANT, "extends": 5}, "extends", "name or the path"),
        ({**VARIANT, "extends": "changed.toml"}, "extends", "circle"),
        ({**VARIANT, "form": "explicit"}, "form", "has the other's form"),
        ({key: value for key, value in VARIANT.items() if key != "name"}, "name", "required key is missing"),
        ({key: value for key, value in VARIANT.items() if key != "schema"}, "schema", "required key is missing"),
        ({**VARIANT, "colour": 1}, "colour", "unknown key"),
        ({**VARIANT, "lines": [{**TOY["lines"][0], "a": "x"}]}, "lines[0].a", "must name one of the nodes"),
        ({**VARIANT, "lines": [TOY["lines"][0], {**TOY["lines"][0], "rate_mbps": 0.0}]}, "lines[1].rate_mbps", "equal"),
        ({**VARIANT, "lines": 5}, "lines", "must be a valid list"),
        ({**VARIANT, "extends": "jiangxi", "neighbour_lines": [{}]}, "neighbour_lines[0].rate_mbps", "missing"),
    ],
)
def test_a_bad_variant_is_refused_at_its_own_place(tmp_path, tables, place, rule):
    refused(written(tmp_path, tables), place, rule)


@pytest.mark.parametrize("key", ["units", "front_ends"])
def test_a_slip_of_the_pen_does_not_fill_the_memory(tmp_path, key):
    tables = copy.deepcopy(JIANGXI)
    for city in tables["cities"]:
        city["front_ends"] = 10_000
        city["units"] = 1_000 if key == "units" else city["units"]
    most = {"front_ends": 100_000, "units": 5_000}
    tables["cities"] = tables["cities"][: 9 if key == "units" else 11]
    for city in tables["cities"]:
        city["neighbour"] = "jiujiang" if city["name"] == "nanchang" else "nanchang"
    refused(written(tmp_path, tables), "cities", f"{key} of all places together must not exceed {most[key]}")


def test_inner_units_come_from_inner_sectors(tmp_path):
    tables = changed(JIANGXI, ("province", "inner_units"), 30)
    tables["province"]["inner_front_ends"] = 30
    tables["province"]["front_ends"] = 200
    refused(written(tmp_path, tables), "province.inner_units", "units of inner sectors", 30)


def test_neighbour_lines_join_two_cities(tmp_path):
    good = {"a": "nanchang", "b": "fuzhou", "carrier": "carrier-a", "rate_mbps": 1.0, "fixed_us": 1.0}
    good["propagation_ms"] = 0.0
    base = {**VARIANT, "extends": "jiangxi"}
    for change, place, rule in (
        ({"a": "province"}, "neighbour_lines[0].a", "must be one of nanchang"),
        ({"b": "anyi"}, "neighbour_lines[0].b", "must be one of nanchang"),
        ({"b": "nanchang"}, "neighbour_lines[0].b", "two different cities"),
        ({"carrier": "x"}, "neighbour_lines[0].carrier", "must be one of carrier-a, carrier-b"),
    ):
        refused(written(tmp_path, {**base, "neighbour_lines": [{**good, **change}]}), place, rule)


def test_what_is_wrong_in_the_base_is_the_bases_fault(tmp_path):
    base = written(tmp_path, changed(TOY, ("lines", 2, "a"), "nowhere"), "base.toml")
    variant = written(tmp_path, {**VARIANT, "extends": "base.toml"})
    with pytest.raises(BadInputError) as caught:
        scenarios.load(variant)
    assert (caught.value.file, caught.value.place) == (base, "lines[2].a")


def test_a_circle_of_two_files_is_refused(tmp_path):
    written(tmp_path, {**VARIANT, "extends": "b.toml"}, "a.toml")
    written(tmp_path, {**VARIANT, "extends": "a.toml"}, "b.toml")
    with pytest.raises(BadInputError, match="circle"):
        scenarios.load(str(tmp_path / "a.toml"))


def test_a_file_under_a_relative_folder_finds_its_base(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub", TOY, "base.toml")
    written(tmp_path / "sub", {**VARIANT, "extends": "base.toml"})
    monkeypatch.chdir(tmp_path)
    assert scenarios.load("sub/changed.toml").name == "v"


def test_the_copy_of_a_bundled_file_is_the_bundled_scenario(tmp_path):
    """What the tests' own writer writes says the same as the file."""
    for name in ("toy", "jiangxi"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text_of(name), "utf-8")
        rewritten = written(tmp_path, tables_of(name))
        assert scenarios.load(str(path)).digest == scenarios.load(name).digest == scenarios.load(rewritten).digest
