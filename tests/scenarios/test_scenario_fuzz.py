"""Whatever stands in a scenario file, the answer is a platform or one `BadInputError` of one line."""

import copy
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario_files import at, leaves, tables_of, text_of, written

import scenarios
from router_core.errors import BadInputError
from router_core.platform import Platform

BASES = {name: tables_of(name) for name in ("toy", "jiangxi", "jiangxi-neighbours")}
PATHS = {name: list(leaves(tables)) for name, tables in BASES.items()}
RELAXED = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

# Surrogates are no UTF-8; everything else TOML can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**6), 10**6),
        st.sampled_from([-1, 0, 1, 2**31, 2**63, -(2**63), 10**30, 10**400]),
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")]),
        texts,
        st.sampled_from(["", " ", "province", "nanchang", "carrier-a", "toy", "../toy", "a\x00b", "\u2028", "outer"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def load(path):
    """The platform, or the one error; any other exception fails the test."""
    try:
        outcome = scenarios.load(path)
    except BadInputError as error:
        outcome = error
    if isinstance(outcome, Platform):
        return outcome
    assert outcome.file
    assert outcome.place
    assert outcome.rule
    assert len(str(outcome).splitlines()) == 1
    return None


@RELAXED
@given(data=st.data())
def test_any_value_at_any_key(tmp_path, data):
    name = data.draw(st.sampled_from(["toy", "toy", "toy", "jiangxi-neighbours", "jiangxi"]))
    tables = copy.deepcopy(BASES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(PATHS[name]))
        path = path[: data.draw(st.integers(1, len(path)))]
        try:
            parent = at(tables, path[:-1])
            parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        action = data.draw(st.sampled_from(["replace", "delete", "add", "double"]))
        if action == "replace":
            parent[path[-1]] = data.draw(values)
        elif action == "delete":
            del parent[path[-1]]
        elif action == "add" and isinstance(parent, dict):
            parent[data.draw(texts)] = data.draw(values)
        elif action == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
    load(written(tmp_path, tables))


@RELAXED
@given(data=st.data())
def test_any_scratch_in_the_text(tmp_path, data):
    content = bytearray(text_of(data.draw(st.sampled_from(["toy", "jiangxi-neighbours"]))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "scratched.toml"
    path.write_bytes(content)
    load(str(path))


@RELAXED
@given(content=st.binary(max_size=60) | st.text("[]{}=.\"'\n#0123 -+ein_", max_size=60).map(str.encode))
def test_any_bytes(tmp_path, content):
    path = tmp_path / "bytes.toml"
    path.write_bytes(content)
    assert load(str(path)) is None


@RELAXED
@given(name=st.text(max_size=20))
def test_any_name(name):
    if name not in scenarios.names():
        with pytest.raises(BadInputError):
            scenarios.load(name)


def test_a_date_is_no_number_and_no_text(tmp_path):
    """TOML has dates; no key of a scenario takes one."""
    path = tmp_path / "date.toml"
    path.write_text(text_of("toy").replace("exchanges_per_day = 2_000", f"exchanges_per_day = {date(2018, 12, 31)}"))
    with pytest.raises(BadInputError) as caught:
        scenarios.load(str(path))
    assert caught.value.place == "demand.exchanges_per_day"
