"""The seam's contract, whoever the workers are: order, what is told, errors, and the same numbers to the bit."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator

import pytest
import seam_work as work
from joblib.externals.loky import cpu_count

from router_core.errors import BadInputError, ExchangeRouterError, FailedCheckError
from sim.workers import Workers, open_workers, tell

SPARK = "spark:local-cluster[2,1,1024]"
KINDS = ["here", "1", "loky:2", "3", SPARK]


def needs(text: str | None) -> None:
    if text is not None and text.startswith("spark"):
        pytest.importorskip("pyspark", reason="PySpark is not installed")
        if shutil.which("java") is None:
            pytest.skip("Java is not installed")


@pytest.fixture(scope="module", params=KINDS)
def workers(request) -> Iterator[Workers]:
    needs(request.param)
    with open_workers(request.param) as opened:
        opened.text = request.param
        yield opened


def test_results_keep_the_order_of_items_and_each_is_told_once(workers):
    told = []
    items = [5, 3, 8, 1, 1, 9, 2, 7, 0]
    assert workers.map(work.squared, items, lambda index, found: told.append((index, found))) == [n * n for n in items]
    assert sorted(told) == [(index, n * n) for index, n in enumerate(items)]


def test_no_items_no_results(workers):
    assert workers.map(work.squared, []) == []


def test_many_small_items(workers):
    items = list(range(500))
    assert workers.map(work.squared, items) == [n * n for n in items]


def test_what_is_told_of_an_item_is_heard_before_it_is_done(workers):
    heard = []
    found = workers.map(
        work.squared,
        [4, 2, 6],
        lambda index, found: heard.append((index, found)),
        lambda index, news: heard.append((index, news)),
    )
    assert found == [16, 4, 36]
    for index, number in enumerate([4, 2, 6]):
        assert [news for at, news in heard if at == index] == [f"{number} is at work", number * number]


def test_all_of_much_news_is_heard_in_its_order(workers):
    heard = []
    workers.map(work.told_much, [1, 2], None, lambda index, news: heard.append((index, news[0])))
    for index in range(2):
        assert [part for at, part in heard if at == index] == list(range(50))


def test_an_error_comes_as_it_was_raised_and_workers_can_go_on(workers):
    with pytest.raises(BadInputError) as caught:
        workers.map(work.refused, [1, work.WRONG, 2])
    assert str(caught.value) == "numbers.toml: number: must bring luck (got 13)"
    assert (caught.value.place, caught.value.value, caught.value.file) == ("number", 13, "numbers.toml")
    assert workers.map(work.refused, [1, 2]) == [1, 2]


def test_after_an_error_no_further_item_is_begun(workers, tmp_path):
    items = [(tmp_path, work.WRONG), *((tmp_path, number) for number in range(100, 160))]
    with pytest.raises(BadInputError):
        workers.map(work.refused_late, items)
    assert len(list(tmp_path.iterdir())) < 30
    assert workers.map(work.squared, [1]) == [1]
    assert len(list(tmp_path.iterdir())) < 40, "only what was at work may have gone on for a moment"


def test_an_error_that_cannot_be_pickled_is_told_by_its_text(workers):
    if workers.text == "here":
        with pytest.raises(work.StubbornError):
            workers.map(work.stubborn, [1])
        return
    with pytest.raises(ExchangeRouterError, match="StubbornError: cannot be moved by 1"):
        workers.map(work.stubborn, [1])


def test_an_error_of_on_done_ends_the_map(workers):
    def full(index: int, found: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        workers.map(work.squared, [1, 2, 3], full)
    assert workers.map(work.squared, [3]) == [9]


def test_warnings_that_are_errors_here_are_none_elsewhere(workers):
    if workers.text == "here":
        pytest.skip("it is here")
    assert workers.map(work.warned, [1, 2]) == [1, 2]


def test_workers_take_one_thread_each(workers):
    found = workers.map(work.threads_and_place, list(range(6)))
    assert {threads for threads, _ in found} == {1}
    elsewhere = {place for _, place in found} - {str(os.getpid())}
    assert len(elsewhere) == {"here": 0, "1": 1, "loky:2": 2, "3": 3, SPARK: 2}[workers.text]


JOBS = [("dynamic", 3), ("ecmp", 1), ("ecmp", 4)]
FOUND: dict[str, list[tuple[str, str]]] = {}


def test_a_replay_is_the_same_to_the_bit_whoever_does_it(workers):
    FOUND[workers.text] = workers.map(work.replayed, JOBS)
    assert len(set(FOUND[workers.text])) == len(JOBS), "digests that tell runs apart"
    assert FOUND[workers.text] == FOUND.setdefault("here", FOUND[workers.text])


def test_nobody_listens_where_nothing_is_mapped():
    tell("nobody")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "loky",
        "loky:",
        "loky:0",
        "0",
        "-1",
        "1.5",
        "two",
        "here:1",
        "loky:2:3",
        "spark",
        "spark:",
        "spark: ",
        " 2",
        "99999",
    ],
)
def test_a_text_that_means_nothing_is_refused(text):
    with pytest.raises(BadInputError, match="--workers") as caught, open_workers(text):
        pass
    assert caught.value.value == text


def test_without_a_text_there_is_a_process_a_core():
    with open_workers(None) as opened:
        found = opened.map(work.threads_and_place, list(range(4 * cpu_count())))
    assert len({place for _, place in found}) == cpu_count()


@pytest.mark.parametrize(
    "error", [BadInputError("a", "b", 3, "f"), FailedCheckError("a check"), ExchangeRouterError("e")]
)
def test_our_errors_can_be_pickled(error):
    same = pickle.loads(pickle.dumps(error))
    assert (type(same), str(same)) == (type(error), str(error))
