"""The state folder: what was accepted is there after a kill at any instant, and nothing is half there."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from feed_server import NOW_NS

from feed.clock import SetClock
from feed.server import rollout
from feed.server.rollout import Rollout, Stage
from feed.server.store import Answer, FeedStore, Result
from feed.server.writer import Writer
from router_core.errors import BadInputError

KILLS = int(os.environ.get("FEED_KILLS", "60"))
SCOPES = tuple(f"f{number}" for number in range(40))


def store_of(folder: Path) -> FeedStore:
    return FeedStore(folder, SetClock(NOW_NS))


def content(epoch: int) -> bytes:
    return random.Random(epoch).randbytes(20_000 + epoch)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    state = Rollout(
        2, 1, Stage.SOME, 7, frozenset("ab"), frozenset("abc"), frozenset("a"), frozenset("c"), "refused: c"
    )
    with store.transaction():
        for epoch in (1, 2):
            store.add_bundle(epoch, f"{epoch}-x", content(epoch))
        for scope, result in (("a", Result.ACK), ("b", Result.GIVEN), ("c", Result.NACK)):
            store.answer(Answer(2, scope, result, "guard" * (scope == "c"), "", 5))
        store.set_rollout(state)
    bundles = store.bundles()
    store.close()
    store = store_of(tmp_path)
    assert store.rollout() == state
    assert store.bundles() == bundles
    assert store.packed(1) == content(1)
    assert store.epoch_top() == 2
    assert store.answer_of("c", 2) == Answer(2, "c", Result.NACK, "guard", "", 5)
    with store.transaction():
        store.forget((1,))
    assert store.sweep() == 1
    assert [one.epoch for one in store.bundles()] == [2]
    store.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path)

    def fails() -> None:
        with store.transaction():
            store.add_bundle(1, "1-x", content(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (store.bundles(), store.epoch_top()) == ((), 0)
    store.close()
    # The file that it left behind goes at the next start.
    assert list((tmp_path / "bundles").iterdir())
    store_of(tmp_path).close()
    assert not list((tmp_path / "bundles").iterdir())


def test_acts_of_one_batch_fail_alone(tmp_path: Path) -> None:
    writer = Writer(store_of(tmp_path), lambda state: state, lambda before, after: None)

    def keep(epoch: int):
        def act(store: FeedStore, state: Rollout) -> tuple[Rollout, int]:
            store.add_bundle(epoch, f"{epoch}-x", content(epoch))
            if epoch == 2:
                raise KeyError(epoch)
            return rollout.published(state, epoch, 0, SCOPES, lambda _: True, 0.1), epoch

        return writer.submit(act)

    futures = [keep(epoch) for epoch in (1, 2, 3, 3)]
    assert (futures[0].result(), futures[2].result()) == (1, 3)
    with pytest.raises(KeyError):
        futures[1].result()
    with pytest.raises(BadInputError, match="must be above 3"):
        futures[3].result()
    assert writer.state.epoch == 3
    writer.close()
    store = store_of(tmp_path)
    assert [one.epoch for one in store.bundles()] == [1, 3]
    assert store.rollout().epoch == 3
    store.close()


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    with pytest.raises(BadInputError, match="one server at a time"):
        store_of(tmp_path)
    store.close()
    store_of(tmp_path).close()


def test_other_versions_are_refused_and_left_alone(tmp_path: Path) -> None:
    store_of(tmp_path).close()
    with sqlite3.connect(tmp_path / "feed.sqlite") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(BadInputError, match=r"must be of version 1.*got 2"):
        store_of(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "feed.sqlite").write_bytes(b"no database at all, whatever its name" * 100)
    with pytest.raises(BadInputError, match="must be a database of this server"):
        store_of(tmp_path)


@pytest.mark.parametrize("harm", ["gone", "cut", "altered"])
def test_a_bundle_that_is_not_what_was_accepted_is_told(tmp_path: Path, harm: str) -> None:
    store = store_of(tmp_path)
    with store.transaction():
        store.add_bundle(1, "1-x", content(1))
    store.close()
    (file,) = (tmp_path / "bundles").iterdir()
    data = content(1)
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if harm == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BadInputError, match="restore it"):
        store_of(tmp_path).packed(1)


def work(folder: Path, pipe: int) -> None:
    """Publish and answer without end, and tell each thing once it was accepted."""
    store = store_of(folder)
    scopes = SCOPES
    writer = Writer(
        store,
        lambda state: rollout.advanced(state, 0, scopes, lambda _: True, 0.1, 1),
        lambda before, after: None,
    )

    def publish(epoch: int):
        def act(store: FeedStore, state: Rollout) -> tuple[Rollout, None]:
            store.add_bundle(epoch, f"{epoch}-x", content(epoch))
            store.forget(tuple(one.epoch for one in store.bundles()[:-4]))
            return rollout.published(state, epoch, 0, scopes, lambda _: True, 0.1), None

        return writer.submit(act)

    def answer(scope: str, epoch: int):
        def act(store: FeedStore, state: Rollout) -> tuple[Rollout, bool]:
            if state.offered(scope) != epoch:
                return state, False
            store.answer(Answer(epoch, scope, Result.ACK, "", "", 1))
            return rollout.acked(rollout.given(state, scope, epoch), scope, epoch), True

        return writer.submit(act)

    epoch = writer.state.epoch
    while True:
        epoch += 1
        publish(epoch).result()
        os.write(pipe, json.dumps(["epoch", epoch]).encode() + b"\n")
        for _ in range(3):
            for scope, future in [(scope, answer(scope, epoch)) for scope in scopes]:
                if future.result():
                    os.write(pipe, json.dumps([scope, epoch]).encode() + b"\n")


def test_a_kill_at_any_instant_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    drawn = random.Random(7)
    told_epoch = 0
    for _ in range(KILLS):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reads)
                work(tmp_path, writes)
            finally:
                os._exit(9)
        os.close(writes)
        with os.fdopen(reads, "rb") as pipe:
            first = pipe.readline()
            assert first, "the child must come to its first publication"
            time.sleep(drawn.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            told = [json.loads(line) for line in [first, *pipe.read().split(b"\n")] if line.endswith((b"]", b"]\n"))]
        epochs = [epoch for what, epoch in told if what == "epoch"]
        assert epochs == list(range(told_epoch + 1, told_epoch + 1 + len(epochs)))
        told_epoch = check(tmp_path, epochs[-1], told)


def check(folder: Path, told_epoch: int, told: list) -> int:
    """What was told is there; one epoch more may be, whole."""
    store = store_of(folder)
    state, top = store.rollout(), store.epoch_top()
    assert top in (told_epoch, told_epoch + 1)
    assert state.epoch == top
    assert (state.good == top) == (state.stage == Stage.DONE)
    kept = [one.epoch for one in store.bundles()]
    assert kept[-1] == top
    for epoch in kept:
        assert store.packed(epoch) == content(epoch)
    for scope, epoch in told:
        if scope != "epoch" and epoch in kept:
            found = store.answer_of(scope, epoch)
            assert found is not None
            assert found.result == Result.ACK
    if state.stage == Stage.SOME:
        assert len(state.members) == 4
    assert state.acked == {answer.scope for answer in store.answers(top)}
    store.close()
    assert {path.name for path in (folder / "bundles").iterdir()} == {f"{epoch:016d}.bundle" for epoch in kept}
    return top
