from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import traces.writer
from router_core.errors import BadInputError
from router_core.exchanges import DTYPES, FIELDS, Exchanges, concatenate
from router_core.platform import Platform
from traces.format_document import format_document
from traces.reader import TraceReader, name_map
from traces.schema import METADATA_KEY, SCHEMA, TraceInfo, decode_info, trace_info
from traces.writer import TraceWriter, write_all

ONE_FILE_EACH = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def any_exchanges(draw: st.DrawFn, rows_max: int = 60) -> Exchanges:
    """Any numbers at all: the file must bring back what it was given, sensible or not."""
    count = draw(st.integers(0, rows_max))
    return Exchanges(**{name: draw(hnp.arrays(DTYPES[name], count)) for name in FIELDS})


def same(a: Exchanges, b: Exchanges) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == getattr(b, name).dtype
        for name in FIELDS
    )


@given(any_exchanges())
@ONE_FILE_EACH
def test_round_trip(toy_info: TraceInfo, trace_file: Path, exchanges: Exchanges) -> None:
    write_all(trace_file, toy_info, exchanges)
    with TraceReader(trace_file) as reader:
        assert reader.info == toy_info
        assert reader.rows == len(exchanges)
        assert same(reader.read_all(), exchanges)
        assert same(concatenate(list(reader.batches())), exchanges)
        assert all(getattr(batch, name).flags.writeable for batch in reader.batches() for name in FIELDS)


@given(any_exchanges(), st.integers(1, 7), st.integers(1, 25))
@ONE_FILE_EACH
def test_bytes_do_not_depend_on_batches(
    toy_info: TraceInfo, tmp_path: Path, exchanges: Exchanges, step: int, group_rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces.writer, "GROUP_ROWS", group_rows)
        write_all(tmp_path / "whole", toy_info, exchanges)
        with TraceWriter(tmp_path / "parts", toy_info) as writer:
            for row in range(0, len(exchanges), step):
                writer.write(exchanges[row : row + step])
        assert writer.rows == len(exchanges)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()
    with TraceReader(tmp_path / "parts") as reader:
        sizes = [len(batch) for batch in reader.batches()]
    assert sizes == [group_rows] * (len(exchanges) // group_rows) + [len(exchanges) % group_rows] * (
        len(exchanges) % group_rows > 0
    )


@given(
    st.builds(
        TraceInfo,
        start=st.datetimes(datetime(1950, 1, 1), datetime(2200, 12, 31)).map(
            lambda when: when.replace(tzinfo=timezone(timedelta(hours=8)))
        ),
        span_ns=st.integers(1, 10**18),
        scenario=st.text(max_size=5),
        scenario_digest=st.text(max_size=5),
        endpoint_index=st.just((0, 3, 4)),
        endpoint_name=st.tuples(st.text(), st.text(), st.text()),
        resources=st.lists(st.text(max_size=5)).map(tuple),
        demand_types=st.lists(st.text(max_size=5)).map(tuple),
        surges=st.lists(st.text(max_size=5)).map(tuple),
        seed=st.none() | st.integers(0, 2**63),
        provenance=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)),
    )
)
def test_information_round_trip(info: TraceInfo) -> None:
    assert decode_info(info.encode()) == info


def test_projection(toy_day: Exchanges, toy_info: TraceInfo, trace_file: Path) -> None:
    write_all(trace_file, toy_info, toy_day)
    with TraceReader(trace_file) as reader:
        parts = list(reader.columns(("payload_bytes", "source")))
    assert [set(part) for part in parts] == [{"payload_bytes", "source"}]
    assert np.array_equal(parts[0]["payload_bytes"], toy_day.payload_bytes)


@given(st.data())
@ONE_FILE_EACH
def test_indices_follow_names(toy: Platform, toy_day: Exchanges, trace_file: Path, data: st.DataObject) -> None:
    """A file whose tables are in another order means the same exchanges."""
    network, catalogue = toy.network, toy.catalogue
    nodes = network.endpoints.tolist()
    order = data.draw(st.permutations(nodes))
    gaps = data.draw(st.lists(st.integers(1, 5), min_size=len(nodes), max_size=len(nodes)))
    place = dict(zip(order, np.cumsum(gaps).tolist(), strict=True))
    resources = data.draw(st.permutations(range(catalogue.resource_count)))
    info = replace(
        trace_info(toy, start=datetime(2026, 3, 17), span_ns=10**15),
        endpoint_index=tuple(place.values()),
        endpoint_name=tuple(network.node_name[node] for node in order),
        resources=tuple(catalogue.resource_name[index] for index in resources),
    )
    here = toy_day[:50]
    foreign = replace(
        here,
        source=np.array([place[node] for node in here.source.tolist()], dtype=np.int32),
        target=np.array([place[node] for node in here.target.tolist()], dtype=np.int32),
        resource=np.array([resources.index(index) for index in here.resource.tolist()], dtype=np.int32),
    )
    write_all(trace_file, info, foreign)
    with TraceReader(trace_file) as reader:
        assert same(reader.read_all(toy), here)
        assert same(concatenate(list(reader.batches(toy))), here)
        assert same(reader.read_all(), foreign)


def test_unknown_names_are_refused(toy: Platform, toy_info: TraceInfo, toy_day: Exchanges, trace_file: Path) -> None:
    names = (*toy_info.endpoint_name[:-2], "nobody", "no one")
    write_all(trace_file, replace(toy_info, endpoint_name=names), toy_day)
    with TraceReader(trace_file) as reader, pytest.raises(BadInputError) as caught:
        reader.read_all(toy)
    assert one_line(caught.value) == (
        f"{trace_file}: endpoint nobody: must be known in scenario toy (got 'nobody and 1 more')"
    )
    with pytest.raises(BadInputError, match="resource gold: must be known in scenario toy"):
        name_map(replace(toy_info, resources=("gold",)), toy)


@pytest.mark.parametrize("column", ["source", "target", "resource"])
@pytest.mark.parametrize("value", [-1, 10**6, -(2**31)])
def test_index_outside_the_tables_is_refused(
    toy: Platform, toy_info: TraceInfo, toy_day: Exchanges, trace_file: Path, column: str, value: int
) -> None:
    values = getattr(toy_day, column).copy()
    values[123] = value
    write_all(trace_file, toy_info, replace(toy_day, **{column: values}))
    with TraceReader(trace_file) as reader, pytest.raises(BadInputError, match=f"row 123.{column}: .*got {value}"):
        reader.read_all(toy)


def test_router_is_no_endpoint(toy: Platform, toy_info: TraceInfo, toy_day: Exchanges, trace_file: Path) -> None:
    values = toy_day.source.copy()
    values[7] = toy.network.node_index["province-a"]
    write_all(trace_file, toy_info, replace(toy_day, source=values))
    with TraceReader(trace_file) as reader, pytest.raises(BadInputError, match=r"row 7\.source"):
        reader.read_all(toy)


def test_nothing_is_left_behind(toy_info: TraceInfo, toy_day: Exchanges, trace_file: Path) -> None:
    trace_file.write_text("what was there before")

    def write_and_fail() -> None:
        with TraceWriter(trace_file, toy_info) as writer:
            writer.write(toy_day)
            raise RuntimeError("the disk of the source broke")

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert [path.name for path in trace_file.parent.iterdir()] == [trace_file.name]
    assert trace_file.read_text() == "what was there before"


def test_wrong_arrays_are_the_callers_fault(toy_info: TraceInfo, toy_day: Exchanges, trace_file: Path) -> None:
    with pytest.raises(TypeError, match="source"), TraceWriter(trace_file, toy_info) as writer:
        writer.write(replace(toy_day, source=toy_day.source.astype(np.int64)))
    with pytest.raises(TypeError, match="surge"), TraceWriter(trace_file, toy_info) as writer:
        writer.write(replace(toy_day, surge=toy_day.surge[:-1]))
    assert list(trace_file.parent.iterdir()) == []


def test_a_folder_cannot_be_written(toy_info: TraceInfo, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="must be a file to write, not a folder"):
        TraceWriter(tmp_path, toy_info)
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="must lie in a folder"):
        TraceWriter(tmp_path / "file" / "trace.parquet", toy_info)


@pytest.fixture(scope="module")
def good_bytes(toy_info: TraceInfo, toy_day: Exchanges, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "trace.parquet"
    write_all(path, toy_info, toy_day)
    return path.read_bytes()


def one_line(error: BadInputError) -> str:
    assert "\n" not in str(error)
    return str(error)


def refusal(path: Path) -> str:
    with pytest.raises(BadInputError) as caught, TraceReader(path) as reader:
        reader.read_all()
    return one_line(caught.value)


@given(st.floats(0, 1, exclude_max=True))
@ONE_FILE_EACH
def test_truncated_file(good_bytes: bytes, trace_file: Path, share: float) -> None:
    trace_file.write_bytes(good_bytes[: int(len(good_bytes) * share)])
    assert refusal(trace_file).startswith(f"{trace_file}: file: must be a whole Parquet file")


def read_or_refuse(path: Path) -> Exchanges | BadInputError:
    try:
        with TraceReader(path) as reader:
            return reader.read_all()
    except BadInputError as error:
        return error


@given(st.data())
@ONE_FILE_EACH
def test_damaged_data(good_bytes: bytes, toy_day: Exchanges, trace_file: Path, data: st.DataObject) -> None:
    """A flipped bit before the footer is found by a page's checksum, or lies where it changes nothing."""
    footer = int.from_bytes(good_bytes[-8:-4], "little")
    place = data.draw(st.integers(4, len(good_bytes) - footer - 9))
    broken = bytearray(good_bytes)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    trace_file.write_bytes(broken)
    found = read_or_refuse(trace_file)
    if isinstance(found, BadInputError):
        assert one_line(found).startswith(f"{trace_file}: ")
    else:
        assert same(found, toy_day)


@given(st.data())
@settings(ONE_FILE_EACH, max_examples=150)
def test_damaged_footer(good_bytes: bytes, toy_day: Exchanges, trace_file: Path, data: st.DataObject) -> None:
    """A damaged footer is refused in one line, or the damage lies in a text and the exchanges are whole."""
    footer = int.from_bytes(good_bytes[-8:-4], "little")
    place = data.draw(st.integers(len(good_bytes) - footer - 8, len(good_bytes) - 1))
    broken = bytearray(good_bytes)
    broken[place] = data.draw(st.integers(0, 255))
    trace_file.write_bytes(broken)
    found = read_or_refuse(trace_file)
    if isinstance(found, BadInputError):
        one_line(found)
    else:
        assert same(found, toy_day)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"submitted_ns,source\n1,2\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_not_parquet(trace_file: Path, content: bytes) -> None:
    trace_file.write_bytes(content)
    assert refusal(trace_file).startswith(f"{trace_file}: file: must be a whole Parquet file")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.parquet") == f"{tmp_path}/none.parquet: file: must exist (got 'none.parquet')"
    assert "must be a whole Parquet file" in refusal(tmp_path)


def write_raw(path: Path, columns: dict[str, pa.Array], metadata: dict[bytes, bytes]) -> None:
    schema = pa.schema([pa.field(name, column.type) for name, column in columns.items()], metadata=metadata)
    pq.write_table(pa.table(list(columns.values()), schema=schema), path)


def empty_columns() -> dict[str, pa.Array]:
    return {field.name: pa.array([], type=field.type) for field in SCHEMA}


def changed(info: TraceInfo, key: str, value: Any) -> dict[bytes, bytes]:
    document = json.loads(info.encode()) | {key: value}
    return {METADATA_KEY: json.dumps(document).encode()}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("version", "2.0", "metadata version: this reader understands version 1.x (got '2.0')"),
        ("version", 1, "metadata version: this reader understands version 1.x (got 1)"),
        ("start", "yesterday", "metadata start: must be an ISO 8601 date and time (got 'yesterday')"),
        ("start", 5, "metadata start: must be an ISO 8601 date and time (got 5)"),
        ("start", "2026-03-17T00:00:00+00:00", "metadata start: must be local time, +08:00"),
        ("start", "9999-12-31T00:00:00+08:00", "metadata start: must lie in the years"),
        ("span_ns", 0, "metadata span_ns: must be a whole number of at least 1 (got 0)"),
        ("span_ns", 10**19, "metadata span_ns: must lie in 1.."),
        ("span_ns", "long", "metadata span_ns: must be a whole number"),
        ("seed", -3, "metadata seed: must be a whole number of at least 0 (got -3)"),
        ("scenario", None, "metadata scenario: must be a text"),
        ("resources", [1], "metadata resources: must be a list of texts"),
        ("endpoint_index", [3, 2], "metadata endpoint_name: must name all 2 endpoints"),
        ("provenance", [], "metadata provenance: must be a JSON object"),
    ],
)
def test_wrong_metadata(toy_info: TraceInfo, trace_file: Path, key: str, value: Any, words: str) -> None:
    write_raw(trace_file, empty_columns(), changed(toy_info, key, value))
    assert refusal(trace_file).startswith(f"{trace_file}: {words}")


def test_endpoint_table_must_ascend(toy_info: TraceInfo) -> None:
    with pytest.raises(BadInputError, match="metadata endpoint_index: must ascend"):
        decode_info(replace(toy_info, endpoint_index=tuple(reversed(toy_info.endpoint_index))).encode())


@pytest.mark.parametrize("document", [b"{", b"[]", b"\xff\xfe"])
def test_metadata_that_is_no_document(trace_file: Path, document: bytes) -> None:
    write_raw(trace_file, empty_columns(), {METADATA_KEY: document})
    assert "metadata exchange_trace: must be a JSON" in refusal(trace_file)


def test_other_parquet_files(toy_info: TraceInfo, trace_file: Path) -> None:
    write_raw(trace_file, empty_columns(), {})
    assert "metadata: a trace has a document under exchange_trace" in refusal(trace_file)
    good = {METADATA_KEY: toy_info.encode()}
    write_raw(trace_file, {"a": pa.array([1])}, good)
    assert "columns: must be submitted_ns, source" in refusal(trace_file)
    write_raw(trace_file, empty_columns() | {"source": pa.array([], type=pa.int64())}, good)
    assert f"{trace_file}: column source: must be int32 (got 'int64')" in refusal(trace_file)
    missing = {field.name: pa.array([0, 0, 0], type=field.type) for field in SCHEMA}
    missing["resource"] = pa.array([0, None, 0], type=pa.int32())
    write_raw(trace_file, missing, good)
    assert f"{trace_file}: row 1.resource: a trace has no empty values (got None)" in refusal(trace_file)


def test_a_later_minor_version_is_read(toy_info: TraceInfo, trace_file: Path) -> None:
    document = json.loads(toy_info.encode()) | {"version": "1.7", "colour": "red"}
    write_raw(trace_file, empty_columns(), {METADATA_KEY: json.dumps(document).encode()})
    with TraceReader(trace_file) as reader:
        assert reader.info == toy_info


def test_span_and_time_zone_are_checked(toy: Platform) -> None:
    with pytest.raises(BadInputError, match="span_ns"):
        trace_info(toy, start=datetime(2026, 3, 17), span_ns=0)
    utc = datetime(2026, 3, 17, tzinfo=timezone.utc)  # noqa: UP017 - the point is another offset
    with pytest.raises(BadInputError, match="must be local time"):
        trace_info(toy, start=utc, span_ns=1)


def test_document_is_in_step() -> None:
    path = Path(__file__).parents[2] / "docs" / "trace-format.md"
    assert path.read_text(encoding="utf-8") == format_document(), "run python -m traces.format_document"
