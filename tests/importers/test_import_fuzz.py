"""Any bytes at all: a result or one clear line, never another error."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importer_twins import Twin, repetita_demands, repetita_graph, sndlib, totem, totem_domain

from router_core.errors import BadInputError
from traces.importers import FILE_FORMATS, ImportResult, import_files

TWIN = Twin()
TEXTS = {
    "sndlib": (sndlib(TWIN, None, links=True), sndlib(TWIN, TWIN.demand())),
    "totem": (totem_domain(TWIN), totem(TWIN.demand(), ids=TWIN.names)),
    "repetita": (repetita_graph(TWIN), repetita_demands(TWIN.demand())),
}
PIECES = [
    *(
        "<network>",
        "<TrafficMatrixFile>",
        "<domain>",
        "</network>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "&b;",
        "<![CDATA[",
    ),
    *(
        "NODES 3",
        "EDGES 2",
        "DEMANDS 1",
        "label x y",
        "label src dest bw",
        "\n",
        " ",
        "0",
        "1",
        "-1",
        "nan",
        "1e999",
        "9" * 40,
    ),
    *("\x00", "\ufeff", "é", "id=''", "PK\x03\x04"),
]


def attempt(paths: list[Path], file_format: str | None = None) -> ImportResult | None:
    try:
        result = import_files(paths, file_format)
    except BadInputError as refusal:
        line = str(refusal)
        result = None
    if result is None:
        assert "\n" not in line
        return None
    if result.series is not None:
        assert np.isfinite(result.series.demand_mbps).all()
        assert result.series.demand_mbps.min() >= 0
        assert result.series.nodes == result.topology.node_names
    assert result.topology.rate_mbps.min() > 0
    return result


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from(PIECES), max_size=12).map(lambda parts: "".join(parts).encode()),
    ),
    st.sampled_from([None, *FILE_FORMATS]),
)
def test_any_bytes_are_a_result_or_a_refusal(tmp_path_factory, content, file_format):
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(content)
    attempt([path], file_format)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILE_FORMATS), st.integers(0, 1), st.integers(0, 2**32), st.booleans())
def test_a_damaged_twin_is_a_result_or_a_refusal(tmp_path_factory, kind, which, seed, cut):
    folder = tmp_path_factory.mktemp("twin")
    texts = [bytearray(text.encode()) for text in TEXTS[kind]]
    rng = random.Random(seed)
    damaged = texts[which]
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(damaged))
        action = rng.randrange(3)
        if action == 0:
            damaged[at] = rng.randrange(256)
        elif action == 1:
            damaged[at:at] = rng.choice(PIECES).encode()
        else:
            del damaged[at : at + rng.randint(1, 30)]
    if cut:
        del damaged[rng.randrange(len(damaged) + 1) :]
    paths = [folder / "topology", folder / "matrix"]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(bytes(text))
    attempt(paths)
    attempt(paths, kind)


@pytest.mark.parametrize("opening", [b"<network>", b"<TrafficMatrixFile>", b"<domain>"])
def test_elements_nested_without_end_are_refused(folder, opening):
    closing = opening.replace(b"<", b"</")
    path = folder.put("deep.xml", opening * 20_000 + closing * 20_000)
    assert attempt([path]) is None


def test_a_file_that_states_huge_counts_is_refused(folder):
    assert attempt([folder.put("a.graph", "NODES 999999999\nlabel x y\n")]) is None
    assert attempt([folder.put("b.graph", f"NODES {'9' * 5000}\nlabel x y\n")]) is None
    many = "NODES 4001\nlabel x y\n" + "".join(f"n{k} {k % 90} 0\n" for k in range(4001))
    path = folder.put("c.graph", many + "\nEDGES 1\nlabel src dest weight bw delay\ne 0 1 1 1 1\n")
    with pytest.raises(BadInputError, match=r"nodes: a topology has 2\.\.4000"):
        import_files([path])


def test_no_twin_is_refused(folder):
    for kind, texts in TEXTS.items():
        paths = [folder.put(f"{kind}.{index}", text) for index, text in enumerate(texts)]
        result = attempt(paths)
        assert result is not None
        assert result.series is not None
        assert result.file_format == kind
