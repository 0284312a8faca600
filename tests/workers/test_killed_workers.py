"""Workers killed half-way: nothing is lost or changed, what was done is not done again, and nobody stays behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import seam_work as work

from router_core.errors import BadInputError, ExchangeRouterError
from router_core.units import SECOND_NS
from sim.workers import open_workers

SPARK = "spark:local-cluster[2,1,1024]"
HELPERS = Path(__file__).resolve().parents[1] / "helpers"


def needs(text: str) -> None:
    if text.startswith("spark"):
        pytest.importorskip("pyspark", reason="PySpark is not installed")
        if shutil.which("java") is None:
            pytest.skip("Java is not installed")


@pytest.fixture(scope="module")
def spark():
    needs(SPARK)
    with open_workers(SPARK) as opened:
        yield opened


def children(parent: int) -> dict[int, tuple[int, str]]:
    """All processes below one: each with its parent and its command line."""
    known: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                known[int(entry.name)] = (int(stat[1]), (entry / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has ended
                continue
    below = {parent}
    while more := {one for one, (its_parent, _) in known.items() if its_parent in below} - below:
        below |= more
    return {one: known[one] for one in below - {parent}}


def executor_at_work(folder: Path, done: list[int]) -> int:
    """The Java process, of our own, above a Python that has just begun an item: it is not done when that is killed."""
    until = time.monotonic() + 20
    while True:
        marks = [[int(part) for part in mark.name.split("-")] for mark in folder.iterdir()]
        at_work = [(began_ns, process) for number, process, _, began_ns in marks if number not in done]
        if at_work and time.monotonic_ns() - max(at_work)[0] < work.MARKED_S / 4 * SECOND_NS:
            break
        assert time.monotonic() < until, "Spark has more to do"
        time.sleep(0.01)
    one = max(at_work)[1]
    known = children(os.getpid())
    while "CoarseGrainedExecutorBackend" not in known[one][1]:
        one = known[one][0]
    return one


def times_done(folder: Path) -> Counter[int]:
    return Counter(int(mark.name.split("-")[0]) for mark in folder.iterdir())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_worker_killed_half_way_loses_and_changes_nothing(tmp_path, count):
    items = [(tmp_path, number) for number in range(8)]
    told, at_kill = [], []

    def kill_one(index: int, found: object) -> None:
        told.append(index)
        if len(told) == 3:
            at_kill.extend(told)
            victim = next(iter(one for one, (_, line) in children(os.getpid()).items() if "LokyProcess" in line))
            os.kill(victim, signal.SIGKILL)

    with open_workers(str(count)) as workers:
        assert workers.map(work.marked, items, kill_one) == [7 * number for number in range(8)]
    assert sorted(told) == list(range(8)), "each is told once"
    done = times_done(tmp_path)
    assert all(done[index] == 1 for index in at_kill), "what was done is not done again"
    assert max(done.values()) <= 2
    assert sum(done.values()) <= 8 + count, "only what was at work is done again"


@pytest.mark.parametrize("times", [1, 2])
def test_an_item_that_fells_its_worker_less_than_three_times_is_done(tmp_path, times):
    items = [(tmp_path, number, times if number == 2 else 0) for number in range(6)]
    with open_workers("2") as workers:
        assert workers.map(work.fallen, items) == list(range(6))


def test_an_item_that_fells_every_worker_is_named_and_the_innocent_are_not(tmp_path):
    items = [(tmp_path, number, 99 if number == 2 else 0) for number in range(6)]
    with open_workers("3") as workers:
        with pytest.raises(ExchangeRouterError, match=r"item 2 took its process with it 3 times .*, 2, 99\)"):
            workers.map(work.fallen, items)
        assert len(list(tmp_path.iterdir())) == 3
        assert workers.map(work.squared, [2]) == [4]
    assert not [line for _, line in children(os.getpid()).values() if "LokyProcess" in line]


def test_a_worker_killed_while_idle_is_replaced(tmp_path):
    with open_workers("2") as workers:
        assert workers.map(work.squared, [1, 2]) == [1, 4]
        for one, (_, line) in children(os.getpid()).items():
            if "LokyProcess" in line:
                os.kill(one, signal.SIGKILL)
        assert workers.map(work.squared, [3, 4, 5]) == [9, 16, 25]


SCRIPT = """
import sys
import seam_work
from sim.workers import open_workers
with open_workers(sys.argv[1]) as workers:
    workers.map(seam_work.squared, [1, 2, 3])
    print("ready", flush=True)
    workers.map(seam_work.slept, [float(sys.argv[2])] * 2)
"""


def started(text: str, seconds: float, folder: Path) -> subprocess.Popen[str]:
    """A process of its own session whose workers sleep, once they do."""
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    running = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", heeding + SCRIPT, text, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(HELPERS), "PYTHONWARNINGS": "error", "TMPDIR": str(folder)},
        start_new_session=True,
    )
    assert running.stdout is not None
    if not select.select([running.stdout], [], [], 120)[0]:
        os.killpg(running.pid, signal.SIGKILL)
        pytest.fail(f"nothing came in two minutes: {running.communicate()[1]}")
    assert running.stdout.readline() == "ready\n", running.communicate()[1]
    return running


def ended(running: subprocess.Popen[str]) -> str:
    """What the process said on stderr; it must end by itself."""
    try:
        return running.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        return "it went on and on: " + running.communicate()[1]


def all_ended(those: set[int], within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not any(_lives(one) for one in those):
            return True
        time.sleep(0.1)
    return False


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_whole_life_says_nothing(tmp_path):
    running = started("2", 0.1, tmp_path)
    said = ended(running)
    assert (running.returncode, said) == (0, "")
    assert not list(tmp_path.iterdir())


LIVES = pytest.mark.parametrize(("text", "below_at_least"), [("2", 3), ("spark:local[2]", 2)])


@LIVES
def test_an_interrupt_from_the_terminal_ends_all_quietly(text, below_at_least, tmp_path):
    needs(text)
    running = started(text, 600, tmp_path)
    below = set(children(running.pid))
    assert len(below) >= below_at_least, "two workers, and who counts their locks; Java, and its Python"
    os.killpg(running.pid, signal.SIGINT)
    said = ended(running)
    assert said.count("Traceback") == 1, said
    assert said.endswith("KeyboardInterrupt\n"), said
    assert all_ended(below, 5)
    assert not list(tmp_path.iterdir())


@LIVES
def test_workers_end_when_their_parent_is_killed(text, below_at_least, tmp_path):
    needs(text)
    running = started(text, 600, tmp_path)
    below = set(children(running.pid))
    assert len(below) >= below_at_least
    running.kill()
    running.communicate()
    assert all_ended(below, 20)


def test_a_master_that_is_none_is_refused_with_spark_s_reason(monkeypatch):
    needs("spark:nonsense")
    with (
        pytest.raises(BadInputError, match=r"--workers: Spark cannot start: .*Could not parse Master") as caught,
        open_workers("spark:nonsense"),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert not [line for _, line in children(os.getpid()).values() if "java" in line]


def test_an_executor_killed_half_way_loses_and_changes_nothing(spark, tmp_path):
    items = [(tmp_path, number) for number in range(10)]
    told, at_kill = [], []

    def kill_one(index: int, found: object) -> None:
        told.append(index)
        if len(told) == 3:
            at_kill.extend(told)
            os.kill(executor_at_work(tmp_path, told), signal.SIGKILL)

    assert spark.map(work.marked, items, kill_one) == [7 * number for number in range(10)]
    assert sorted(told) == list(range(10)), "each is told once"
    done = times_done(tmp_path)
    assert all(done[index] == 1 for index in at_kill), "what was done is not done again"
    assert sum(done.values()) > 10, "something was at work there, and done again"


def test_an_item_that_fells_spark_s_python_is_tried_again_and_named_if_it_does_not_stop(spark, tmp_path):
    once, always = [(tmp_path, number, int(number == 2)) for number in range(5)], [(tmp_path, 77, 99)]
    assert spark.map(work.fallen, once) == list(range(5))
    with pytest.raises(ExchangeRouterError, match=r"item 0 took its executor with it 3 times .*, 77, 99\)"):
        spark.map(work.fallen, always)
    assert spark.map(work.squared, [2]) == [4]


def listening(processes: set[int]) -> set[str]:
    """Addresses at which any of the processes listens, as in /proc: hexadecimal."""
    sockets = set()
    for one in processes:
        for descriptor in Path(f"/proc/{one}/fd").iterdir():
            try:
                sockets.add(os.readlink(descriptor))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
                found.add(columns[1].split(":")[0])
    return found


def test_spark_listens_on_loopback_alone(spark):
    assert spark.map(work.squared, [1, 2, 3, 4]) == [1, 4, 9, 16]
    java = {one for one, (_, line) in children(os.getpid()).items() if "java" in line}
    assert len(java) >= 3, "a driver and two executors"
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert listening(java)
    assert listening(java) <= loopback


def test_spark_comes_and_goes_without_a_trace(tmp_path):
    needs("spark:local[2]")
    running = started("spark:local[2]", 0.1, tmp_path)
    below = set(children(running.pid))
    assert any("java" in line for _, line in children(running.pid).values())
    said = ended(running)
    assert (running.returncode, said) == (0, "")
    assert not list(tmp_path.iterdir())
    assert all_ended(below, 5)


@pytest.mark.parametrize(
    ("missing", "told"),
    [("pyspark", r"needs PySpark: install exchange-router\[spark\]"), ("java", "needs Java 17")],
)
def test_what_spark_lacks_is_named(missing, told, monkeypatch, tmp_path):
    if missing == "pyspark":
        monkeypatch.setitem(sys.modules, "pyspark", None)
    else:
        pytest.importorskip("pyspark", reason="PySpark is not installed")
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ExchangeRouterError, match=told), open_workers("spark:local[2]"):
        pass


def test_a_process_has_one_spark_driver(spark):
    with pytest.raises(BadInputError, match="one Spark driver"), open_workers("spark:local[1]"):
        pass
    assert spark.map(work.squared, [2]) == [4]
