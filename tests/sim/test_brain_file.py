"""The brain file: equal content is equal bytes, it comes back as it went, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from router_core.errors import BadInputError
from sim import brain_file
from sim.brain_file import DOCUMENT, KIND, VERSION, read_parts, read_provenance, write_parts

PLAIN = {"kind": KIND, "version": VERSION, "provenance": {"scenario": "toy"}, "prepared": {"a": 1}}
DTYPES = st.sampled_from([np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.float32, np.float64])
ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True),
    DTYPES.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))),
    max_size=5,
)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "a.brain"
    write_parts(path, PLAIN, {"x": np.arange(1_000, dtype=np.int32), "y.z": np.linspace(0, 1, 700)})
    return path


@settings(max_examples=60, deadline=None)
@given(arrays=ARRAYS)
def test_what_was_written_is_read(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("brain") / "a.brain"
    write_parts(path, PLAIN, arrays)
    document, found = read_parts(path)
    assert document == PLAIN
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable
        assert found[name].flags.c_contiguous


def test_equal_content_is_equal_bytes(whole: Path, tmp_path: Path) -> None:
    document, arrays = read_parts(whole)
    backwards = dict(reversed(arrays.items()))
    backwards["x"] = np.asfortranarray(backwards["x"])
    write_parts(tmp_path / "b.brain", dict(reversed(document.items())), backwards)
    assert (tmp_path / "b.brain").read_bytes() == whole.read_bytes()
    with zipfile.ZipFile(whole) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_write_that_fails_leaves_the_earlier_file(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_parts(whole, {**PLAIN, "level": float("nan")}, {})
    with pytest.raises(ValueError, match="Object"):
        write_parts(whole, PLAIN, {"x": np.array([{}], dtype=object)})
    assert whole.read_bytes() == before
    assert list(whole.parent.iterdir()) == [whole]


@pytest.mark.parametrize("seed", range(40))
def test_every_damage_is_told_in_one_line(whole: Path, seed: int) -> None:
    """A byte turned, a piece cut out, the end lost: each is refused, or changed nothing that is read."""
    data = bytearray(whole.read_bytes())
    good = read_parts(whole)
    random = np.random.default_rng(seed)
    at = int(random.integers(len(data)))
    match seed % 3:
        case 0:
            data[at] ^= 1 << int(random.integers(8))
        case 1:
            del data[at : at + int(random.integers(1, 50))]
        case 2:
            del data[at:]
    whole.write_bytes(data)
    complaint = ""
    try:
        document, arrays = read_parts(whole)
    except BadInputError as error:
        complaint = str(error)
    else:
        assert document == good[0]
        assert all(np.array_equal(arrays[name], array) for name, array in good[1].items())
    if complaint or seed % 3:
        assert complaint.startswith(f"{whole}: ")
        assert "\n" not in complaint


def members(**content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in content.items():
            archive.writestr({"document": DOCUMENT}.get(name, name), data)
    return held.getvalue()


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array(held, array, version=(1, 0), allow_pickle=allow_pickle)
    return held.getvalue()


TEXT = json.dumps(PLAIN).encode()
FOREIGN = {
    "nothing": (b"", "whole brain file"),
    "text": (b"not a zip", "whole brain file"),
    "no document": (members(other=b"{}"), DOCUMENT),
    "document no JSON": (members(document=b"{"), "whole brain file"),
    "document a list": (members(document=b"[]"), "kind"),
    "another kind": (members(document=json.dumps({**PLAIN, "kind": "plan"}).encode()), "kind"),
    "another version": (members(document=json.dumps({**PLAIN, "version": 99}).encode()), "version"),
    "no provenance": (members(document=json.dumps({**PLAIN, "provenance": 3}).encode()), "content"),
    "a path out": (members(document=TEXT, **{"../x.npy": npy(np.zeros(1))}), "../x.npy"),
    "no array": (members(document=TEXT, **{"x.txt": b"hello"}), "x.txt"),
    "a pickle": (members(document=TEXT, **{"x.npy": npy(np.array([{}], dtype=object), True)}), "holds object"),
    "a bare pickle": (members(document=TEXT, **{"x.npy": pickle.dumps(1)}), "whole brain file"),
    "text in an array": (members(document=TEXT, **{"x.npy": npy(np.array(["a"]))}), "holds <U1"),
    "bytes missing": (members(document=TEXT, **{"x.npy": npy(np.zeros(9))[:-1]}), "x has 71 bytes"),
    "bytes too many": (members(document=TEXT, **{"x.npy": npy(np.zeros(9)) + b"1"}), "x has 73 bytes"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_brain_file_is_refused(case: str, tmp_path: Path) -> None:
    data, named = FOREIGN[case]
    path = tmp_path / "foreign.brain"
    path.write_bytes(data)
    with pytest.raises(BadInputError) as caught:
        read_parts(path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_bomb_is_not_unpacked(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("BYTES_MAX", 5_000), ("MEMBERS_MAX", 2), ("DOCUMENT_BYTES_MAX", 10)):
        with monkeypatch.context() as limits:
            limits.setattr(brain_file, limit, value)
            with pytest.raises(BadInputError, match="at most"):
                read_parts(whole)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_provenance(tmp_path / "none.brain")


def test_provenance_is_read_without_the_arrays(whole: Path) -> None:
    assert read_provenance(whole) == PLAIN["provenance"]
