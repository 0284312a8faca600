"""A bundle as bytes: comes back whole, is written in one way only, and whatever else is refused with its reason."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from feed_bundles import VALID_FROM, bundle_of, drawn_bundle, network_of

from feed.bundle.archive import (
    CENTRAL,
    END,
    LOCAL,
    Limits,
    check_files,
    opened,
    pack,
    read_members,
    unpack,
    write_members,
)
from feed.bundle.bundle import Bundle
from feed.bundle.documents import MANIFEST_FILE
from feed.bundle.manifest import KnownEntries, content_of, entry_of, etag_of, make_bundle, make_manifest
from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError

BUNDLE = drawn_bundle()
PACKED = pack(BUNDLE)


def refused(data: bytes, refusal: Refusal, detail: str = "", limits: Limits | None = None, **more) -> None:
    with pytest.raises(RefusedBundleError, match=detail or None) as caught:
        unpack(data, limits, **more)
    assert caught.value.refusal is refusal, str(caught.value)


def zipped(members: list[tuple[str, bytes]], **kind) -> bytes:
    """A zip as others write them."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", **kind) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, kind.get("compression"))
    return held.getvalue()


def test_a_bundle_comes_back_whole() -> None:
    for bundle in (BUNDLE, replace(BUNDLE, envelope_json=b'{"payload":""}')):
        again = unpack(pack(bundle))
        assert (again.manifest_json, again.manifest) == (bundle.manifest_json, bundle.manifest)
        assert (again.files, again.envelope_json) == (bundle.files, bundle.envelope_json)
        assert pack(again) == pack(bundle)


def test_any_zip_tool_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [MANIFEST_FILE, *sorted(BUNDLE.files)]
        assert {name: archive.read(name) for name in sorted(BUNDLE.files)} == BUNDLE.files


def test_equal_content_is_equal_bytes_in_every_process_and_order() -> None:
    shuffled = list(BUNDLE.files)
    Random(1).shuffle(shuffled)
    assert pack(replace(BUNDLE, files={name: BUNDLE.files[name] for name in shuffled})) == PACKED
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import hashlib\nfrom feed_bundles import drawn_bundle\nfrom feed.bundle.archive import pack\n"
        "print(hashlib.sha256(pack(drawn_bundle())).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(root), str(root / "tests" / "helpers")],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout.strip()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found == [entry_of("x.json", PACKED).sha256] * 2


def test_the_same_files_have_the_same_content_in_every_epoch_and_another_etag() -> None:
    later = bundle_of(network_of("toy"), dict(BUNDLE.files), epoch=2)
    assert later.manifest.content == BUNDLE.manifest.content == content_of(BUNDLE.manifest.files)
    assert etag_of(later).startswith("2-")
    assert etag_of(BUNDLE) == etag_of(unpack(PACKED))
    assert etag_of(later)[2:] != etag_of(BUNDLE)[2:]


def test_known_entries_change_nothing() -> None:
    known, fields = KnownEntries(), {name: getattr(BUNDLE.manifest, name) for name in FIELDS}
    for files in (BUNDLE.files, {**BUNDLE.files, "guards.json": b"{}"}, BUNDLE.files):
        assert make_manifest(files, **fields, known=known) == make_manifest(files, **fields)


FIELDS = (
    "epoch", "created", "valid_from", "soft_expiry", "hard_expiry", "topology", "scenario", "inputs", "provenance"
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40), ids=lambda seed: f"seed-{seed}-")
def test_a_byte_changed_anywhere_is_refused(seed: int) -> None:
    random = Random(seed)
    data = bytearray(PACKED)
    place = random.choice((random.randrange(len(data)), random.randrange(200), len(data) - 1 - random.randrange(400)))
    data[place] ^= 1 << random.randrange(8)
    with pytest.raises(RefusedBundleError) as caught:
        unpack(bytes(data))
    assert caught.value.refusal in (Refusal.MALFORMED, Refusal.OVERSIZED)


@pytest.mark.parametrize("seed", range(20), ids=lambda seed: f"seed-{seed}-")
def test_what_is_cut_off_or_has_something_behind_is_refused(seed: int) -> None:
    random = Random(seed)
    refused(PACKED[: random.randrange(len(PACKED))], Refusal.MALFORMED)
    refused(PACKED + random.randbytes(random.randint(1, 50)), Refusal.MALFORMED)
    place = random.randrange(len(PACKED))
    refused(PACKED[:place] + b"\0" + PACKED[place:], Refusal.MALFORMED)


def test_other_zips_are_refused() -> None:
    members = [(MANIFEST_FILE, BUNDLE.manifest_json), *sorted(BUNDLE.files.items())]
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(zipped(members, compression=compression), Refusal.MALFORMED, "stored")
    bomb = zipped([("guards.json", b"\0" * (300 << 20))], compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    refused(bomb, Refusal.MALFORMED, "stored")
    refused(zipped([members[0], *reversed(members[1:])]), Refusal.MALFORMED)
    for junk in (b"", b"PK", b"PK\x05\x06" + bytes(18), b"\0" * 100, b"{}"):
        refused(junk, Refusal.MALFORMED)


def test_member_tricks_are_refused() -> None:
    data = BUNDLE.files["guards.json"]
    rest = {MANIFEST_FILE: BUNDLE.manifest_json, **dict(sorted(BUNDLE.files.items()))}
    for name in ("../guards.json", "/guards.json", "a/../b.json", "C:/a.json", "a\\b.json", "A.json", "a.exe", "",
                 "a//b.json", "./a.json", "a.json\n", "a\0.json", "a.json/", "a" * 300 + ".txt"):  # fmt: skip
        refused(write_members({**rest, name: data}), Refusal.MALFORMED, "named as files|stored")
    twice = write_members({"guards.json": data, "guardt.json": data}).replace(b"guardt", b"guards")
    refused(twice, Refusal.MALFORMED, "once")
    encrypted = bytearray(PACKED)
    encrypted[6] |= 1
    refused(bytes(encrypted), Refusal.MALFORMED, "not encrypted")
    streamed = bytearray(PACKED)
    streamed[6] |= 8  # lengths would follow the data
    refused(bytes(streamed), Refusal.MALFORMED, "not encrypted")


def test_lengths_that_lie_are_refused() -> None:
    size = LOCAL.size
    for at in (18, 22):  # packed, unpacked
        for length in (0, 5, len(PACKED), 2**31, 2**32 - 1):
            data = bytearray(PACKED)
            data[at : at + 4] = length.to_bytes(4, "little")
            with pytest.raises(RefusedBundleError) as caught:
                unpack(bytes(data))
            assert caught.value.refusal in (Refusal.MALFORMED, Refusal.OVERSIZED)
    # A directory that names other places than where the members stand.
    count = len(BUNDLE.files) + 1
    directory = len(PACKED) - END.size - sum(CENTRAL.size + len(name) for name in (MANIFEST_FILE, *BUNDLE.files))
    assert PACKED[directory : directory + 4] == b"PK\x01\x02"
    other = bytearray(PACKED)
    other[directory + CENTRAL.size - 4] ^= size
    refused(bytes(other), Refusal.MALFORMED, "as bundles are written")
    fewer = bytearray(PACKED)
    fewer[-END.size + 10 : -END.size + 12] = (count - 1).to_bytes(2, "little")
    refused(bytes(fewer), Refusal.MALFORMED, "as bundles are written")


@pytest.mark.parametrize(
    "limits",
    [
        Limits(bundle_bytes_max=len(PACKED) - 1),
        Limits(file_bytes_max=max(map(len, BUNDLE.files.values())) - 1),
        Limits(manifest_bytes_max=len(BUNDLE.manifest_json) - 1),
        Limits(members_max=len(BUNDLE.files)),
    ],
    ids=lambda limits: str(limits)[7:40],
)
def test_what_is_beyond_a_limit_is_refused_and_what_meets_it_is_not(limits: Limits) -> None:
    refused(PACKED, Refusal.OVERSIZED, "at most", limits)
    assert unpack(PACKED, Limits(**{name: value + 1 for name, value in vars(limits).items()})).files == BUNDLE.files


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"limits\.members_max"):
        Limits(members_max=0)


def test_files_that_the_manifest_does_not_say_are_altered() -> None:
    files = dict(BUNDLE.files)
    name = "routes/00000.json"
    same_length = files[name].replace(b"1", b"2", 1)
    assert same_length != files[name]
    for other, detail in (
        ({**files, name: same_length}, "sha256 must be"),
        ({**files, name: files[name] + b" "}, "bytes by the manifest"),
        ({**files, "other.json": b"{}"}, "listed"),
        ({path: data for path, data in files.items() if path != name}, "must be there"),
    ):
        refused(pack(replace(BUNDLE, files=other)), Refusal.ALTERED, detail)
    fewer = {path: data for path, data in files.items() if path != name}
    assert unpack(pack(replace(BUNDLE, files=fewer)), package=True).files == fewer
    refused(pack(replace(BUNDLE, files={**fewer, "other.json": b"{}"})), Refusal.ALTERED, "listed", package=True)


def test_both_digests_count() -> None:
    """A file whose SHA-256 alone is right, and one whose SM3 alone is."""
    for wrong in ("sm3", "sha256"):
        entries = [entry.model_copy(update={wrong: "0" * 64}) for entry in BUNDLE.manifest.files]
        manifest = BUNDLE.manifest.model_copy(update={"files": tuple(entries)})
        with pytest.raises(RefusedBundleError, match=f"{wrong} must be") as caught:
            check_files(replace(BUNDLE, manifest=manifest))
        assert caught.value.refusal is Refusal.ALTERED


def test_a_bundle_without_manifest_is_malformed_and_files_are_looked_at_last() -> None:
    refused(write_members(dict(BUNDLE.files)), Refusal.MALFORMED, "manifest")
    bad = replace(BUNDLE, files={**BUNDLE.files, "guards.json": b"?"})
    assert opened(pack(bad)).manifest == BUNDLE.manifest
    refused(pack(bad), Refusal.ALTERED)


def test_members_come_in_the_order_written() -> None:
    members = {"b.json": b"1", "a.json": b"", "c/d.csv": b"\xff"}
    assert list(read_members(write_members(members), Limits()).items()) == list(members.items())


def test_what_a_zip_cannot_say_is_not_written() -> None:
    with pytest.raises(BadInputError, match="members"):
        write_members({f"{number}.json": b"" for number in range(2**16)})


def test_a_manifest_with_a_rule_broken_is_not_made() -> None:
    good = {name: getattr(BUNDLE.manifest, name) for name in FIELDS}
    for name, value in (
        ("epoch", 0), ("hard_expiry", VALID_FROM), ("valid_from", VALID_FROM + timedelta(days=1)),
        ("created", VALID_FROM.replace(tzinfo=None)), ("topology", "x"), ("restores", 1), ("scenario", "a/b"),
    ):  # fmt: skip
        with pytest.raises(RefusedBundleError) as caught:
            make_bundle(BUNDLE.files, **{**good, name: value})
        assert caught.value.refusal is Refusal.SCHEMA
    assert isinstance(make_bundle(BUNDLE.files, **good), Bundle)
