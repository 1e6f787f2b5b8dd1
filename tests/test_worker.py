"""The worker: newest first, newest of a kind wins, errors to whoever asked."""

import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError

import pytest

from resnet_widgets.engine.worker import Worker

LONG = 10  # seconds; reached only by a test that fails


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def hold(worker):
    """Occupies the worker until the returned event is set."""
    started, release = threading.Event(), threading.Event()

    def busy(task):
        started.set()
        assert release.wait(LONG)

    worker.submit(busy)
    assert started.wait(LONG)
    return release


def test_results_come_from_another_thread(worker):
    thread = worker.submit(lambda task: threading.current_thread()).result(LONG)
    assert thread is not threading.current_thread()


def test_all_run_in_one_thread(worker):
    threads = {worker.submit(lambda task: threading.get_ident()).result(LONG) for _ in range(3)}
    assert len(threads) == 1


def test_the_newest_request_runs_first(worker):
    order = []
    release = hold(worker)
    futures = [worker.submit(lambda task, n=n: order.append(n)) for n in range(3)]
    release.set()
    for future in futures:
        future.result(LONG)
    assert order == [2, 1, 0]


def test_what_can_wait_runs_when_nothing_else_is_left(worker):
    order = []
    release = hold(worker)

    def ask(name, **options):
        return worker.submit(lambda task: order.append(name), **options)

    futures = [ask("first")]
    futures += [ask(f"idle {n}", when_idle=True) for n in range(2)]
    futures += [ask("last")]
    release.set()
    for future in futures:
        future.result(LONG)
    assert order == ["last", "first", "idle 1", "idle 0"]


def test_what_a_failed_request_held_goes_with_its_future(worker):
    class Held:
        pass

    gone = threading.Event()

    def fail(task):
        held = Held()
        weakref.finalize(held, gone.set)
        raise ValueError("no")

    gc.disable()
    try:
        future = worker.submit(fail)
        assert isinstance(future.exception(LONG), ValueError)
        del future
        assert gone.wait(LONG), "only a search for cycles would find it"
    finally:
        gc.enable()


def test_a_newer_request_of_a_kind_cancels_the_one_that_waits(worker):
    release = hold(worker)
    old = worker.submit(lambda task: "old", kind="photo")
    other = worker.submit(lambda task: "other", kind="layer")
    new = worker.submit(lambda task: "new", kind="photo")
    release.set()
    assert new.result(LONG) == "new"
    assert other.result(LONG) == "other"
    assert old.cancelled()


def test_a_newer_request_of_a_kind_stops_the_one_that_runs(worker):
    started, go_on = threading.Event(), threading.Event()

    def long(task):
        started.set()
        assert go_on.wait(LONG)
        task.check()
        return "finished"

    old = worker.submit(long, kind="photo")
    assert started.wait(LONG)
    new = worker.submit(lambda task: "new", kind="photo")
    go_on.set()
    with pytest.raises(CancelledError):
        old.result(LONG)
    assert new.result(LONG) == "new"


def test_requests_without_a_kind_replace_nothing(worker):
    release = hold(worker)
    futures = [worker.submit(lambda task, n=n: n) for n in range(2)]
    release.set()
    assert [future.result(LONG) for future in futures] == [0, 1]


def test_cancel_by_kind_leaves_the_rest(worker):
    release = hold(worker)
    photo = worker.submit(lambda task: 1, kind="photo")
    layer = worker.submit(lambda task: 2, kind="layer")
    worker.cancel("photo")
    release.set()
    assert photo.cancelled()
    assert layer.result(LONG) == 2


def test_errors_go_to_whoever_asked_and_the_worker_goes_on(worker):
    def fail(task):
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        worker.submit(fail).result(LONG)
    assert worker.submit(lambda task: 1).result(LONG) == 1


def test_progress_is_passed_on():
    said = []
    worker = Worker(lambda fraction, text: said.append((fraction, text)))
    worker.submit(lambda task: task.progress(0.5, "half")).result(LONG)
    worker.close()
    assert said == [(0.5, "half")]


def test_close_cancels_what_waits_and_ends_the_thread():
    worker = Worker()
    thread = worker.submit(lambda task: threading.current_thread()).result(LONG)
    release = hold(worker)
    waiting = worker.submit(lambda task: 1)
    worker.close()
    release.set()
    thread.join(LONG)
    assert not thread.is_alive()
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        worker.submit(lambda task: 1)


def test_python_waits_at_its_exit_for_the_running_task_to_end():
    """And what has not begun does not begin."""
    code = """
import threading
from resnet_widgets.engine.worker import Worker

started = threading.Event()

def run(task):
    started.set()
    try:
        while True:
            task.check()
    finally:
        print("ended")

worker = Worker()
worker.submit(run)
started.wait()
worker.submit(lambda task: print("must not run"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"ended\n", b"")
