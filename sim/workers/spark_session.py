"""A Spark driver that begins and ends with a block, says nothing, and serves no page.

PySpark changes the process it runs in: variables, `sys.path`, the handler of interrupts, and a Java machine that would
stay until the process ends. All that is put back.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from router_core.errors import BadInputError
from sim.workers.work import WORKER_ENVIRONMENT
from sim.workers.workers import PLACE

if TYPE_CHECKING:
    from pyspark import SparkContext

LOOPBACK: Final = "127.0.0.1"
_END_S: Final = 20.0
# Java only hands chunks about here; the time it takes to start counts more than how fast it might become.
FRUGAL_JAVA: Final = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# Java waits for its child processes in a thread with a very small stack. Where the C library keeps much room in every
# stack for thread-local data (GLIBC_TUNABLES), that thread cannot start, and Java waits for ever.
REAPER: Final = "-Djdk.lang.processReaperUseDefaultStackSize=true"


@contextmanager
def spark_driver(master: str) -> Iterator[SparkContext]:
    """Let a Spark driver run while the block does.

    Parameters
    ----------
    master : str
        What Spark calls master: ``local[2]``, ``local-cluster[2,1,1024]``, ``spark://host:7077``.

    Raises
    ------
    BadInputError
        If PySpark or Java is missing, or if Spark cannot start there.
    """
    text = f"spark:{master}"
    try:
        import pyspark  # noqa: PLC0415 - half a second, and an extra that need not be installed
        from pyspark.java_gateway import launch_gateway  # noqa: PLC0415
    except ImportError:
        raise BadInputError(PLACE, "needs PySpark: install exchange-router[spark]", text) from None
    if shutil.which("java", path=_java_path()) is None:
        rule = "needs Java 17 or later: install a JRE (openjdk-17-jre-headless), or set JAVA_HOME"
        raise BadInputError(PLACE, rule, text)
    if pyspark.SparkContext._active_spark_context is not None:
        raise BadInputError(PLACE, "a process can have one Spark driver at a time", text)
    with TemporaryDirectory(prefix="er-spark-", ignore_cleanup_errors=True) as folder, _put_back():
        log = Path(folder) / "log"
        os.environ["SPARK_WORKER_DIR"] = folder
        os.environ["SPARK_SUBMIT_OPTS"] = f"{os.environ.get('SPARK_SUBMIT_OPTS', FRUGAL_JAVA)} {REAPER}"
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        if _on_this_machine(master):
            os.environ["SPARK_LOCAL_IP"] = LOOPBACK
        gateway: Any = None
        context: SparkContext | None = None
        try:
            with log.open("wb") as noise:
                # Interrupts of the terminal are for this process alone, so all of Spark gets a session of its own.
                quiet = {"stdout": noise, "stderr": subprocess.STDOUT, "start_new_session": True}
                gateway = launch_gateway(popen_kwargs=quiet)  # type: ignore[no-untyped-call]
            with _handler_kept(), warnings.catch_warnings():
                # It loads helpers for tests, which remark on a library that nobody here uses through it.
                warnings.filterwarnings("ignore", message="PySpark does not yet fully support")
                context = pyspark.SparkContext(gateway=gateway, conf=_conf(master, folder))
        except Exception as error:
            reason = _reason(error, log)  # Java is asked for it, so before it ends
            _end(context, gateway)
            raise BadInputError(PLACE, f"Spark cannot start: {reason}", text) from None
        except BaseException:
            _end(context, gateway)
            raise
        try:
            yield context
        finally:
            _end(context, gateway)


def _java_path() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return None if home is None else str(Path(home) / "bin")


def _on_this_machine(master: str) -> bool:
    return master.startswith(("local", "spark://localhost:", "spark://127."))


def _conf(master: str, folder: str) -> Any:
    from pyspark import SparkConf  # noqa: PLC0415 - loaded by then

    conf = SparkConf(loadDefaults=True).setMaster(master).setAppName("exchange-router")
    conf.set("spark.ui.enabled", "false")
    conf.set("spark.ui.showConsoleProgress", "false")
    conf.set("spark.local.dir", folder)
    conf.set("spark.driver.maxResultSize", "0")
    executors = "spark.executor.extraJavaOptions"
    conf.set(executors, f"{conf.get(executors, FRUGAL_JAVA)} {REAPER}")
    # The seam tries again itself, by the item and with one rule for all masters.
    conf.set("spark.task.maxFailures", "1")
    conf.set("spark.python.task.killTimeout", "0s")  # what is cancelled has nobody who waits for it
    if _on_this_machine(master):
        conf.set("spark.driver.host", LOOPBACK)
        conf.set("spark.driver.bindAddress", LOOPBACK)
    for name, value in WORKER_ENVIRONMENT.items():
        conf.set(f"spark.executorEnv.{name}", value)
    return conf


def _end(context: SparkContext | None, gateway: Any) -> None:
    """Stop the driver, and the Java machine that PySpark would leave."""
    from pyspark import SparkContext  # noqa: PLC0415 - loaded by then

    if context is not None:
        context.stop()
    if gateway is None:
        return
    process = gateway.proc
    with suppress(Exception):  # it may have gone before
        gateway.shutdown()
    process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    SparkContext._gateway = None
    SparkContext._jvm = None


@contextmanager
def _put_back() -> Iterator[None]:
    """Leave variables and the module path as they were."""
    variables, path = dict(os.environ), list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)


@contextmanager
def _handler_kept() -> Iterator[None]:
    """Leave the handler of interrupts as it was, which PySpark replaces where it can: in the main thread."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _reason(error: Exception, log: Path) -> str:
    """Return in a line why Spark did not start: what Java says, or the last it wrote."""
    java = getattr(error, "java_exception", None)
    if java is not None:
        return " ".join(str(java.toString()).split())
    written = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    return written[-1].strip() if written else " ".join(str(error).split())
