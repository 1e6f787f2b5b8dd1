"""The picture beside a widget: when it is drawn, where it is sent, and that it never insists."""

from __future__ import annotations

import base64
import os
import threading
from types import SimpleNamespace

import IPython
import IPython.display
import pytest

from resnet_widgets import still as still_module
from resnet_widgets.still import Still

LONG = 30  # seconds; reached only by a test that fails
VIEW = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "Explorer"}


class Shell:
    """Records what would go to the page."""

    def __init__(self):
        self.shown, self.updates, self.updated = [], [], threading.Event()

    def display(self, data, *, raw, display_id=None, metadata=None):
        assert raw
        self.shown.append((data, display_id))

    def update_display(self, data, *, raw, display_id):
        assert raw
        self.updates.append((data, display_id))
        self.updated.set()

    def wait(self):
        assert self.updated.wait(LONG)
        self.updated.clear()


@pytest.fixture
def shell(monkeypatch):
    shell = Shell()
    monkeypatch.setattr(IPython.display, "display", shell.display)
    monkeypatch.setattr(IPython.display, "update_display", shell.update_display)
    monkeypatch.setattr(still_module, "_saves_outputs", lambda: True)
    return shell


@pytest.fixture
def make():
    made = []

    def make(draw, **kwargs):
        made.append(Still(draw, **kwargs))
        return made[-1]

    yield make
    for still in made:
        still.close()


def png(update):
    return base64.b64decode(update[0]["image/png"])


def test_picture_line_and_widget_in_this_order(shell, make):
    make(lambda: None).display((VIEW, {}))
    (picture, output), (line, _), (widget, _) = shell.shown
    assert output
    assert "image/png" not in picture
    assert "Run this cell to bring it to life." in line["text/html"]
    assert line["text/plain"] == "Run this cell to bring it to life."
    assert widget == VIEW


def test_the_picture_comes_when_it_is_there(shell, make):
    make(lambda: b"one").display((VIEW, {}))
    shell.wait()
    assert png(shell.updates[0]) == b"one"
    assert shell.updates[0][1] == shell.shown[0][1]


def test_display_does_not_wait_for_the_drawing(shell, make):
    go_on = threading.Event()
    still = make(lambda: go_on.wait(LONG) and b"one")
    still.display((VIEW, {}))
    assert len(shell.shown) == 3
    assert shell.updates == []
    go_on.set()
    shell.wait()


def test_many_changes_are_one_drawing_of_the_last(shell, make):
    state, drawn = SimpleNamespace(now=0), []
    still = make(lambda: drawn.append(state.now) or str(state.now).encode(), pause=0.2)
    still.display((VIEW, {}))
    shell.wait()
    for number in range(1, 200):
        state.now = number
        still.refresh()
    shell.wait()
    assert png(shell.updates[-1]) == b"199"
    assert len(drawn) <= 3


def test_all_its_outputs_are_updated_and_an_equal_picture_is_not_sent(shell, make):
    state, drawn = SimpleNamespace(now=b"one"), threading.Semaphore(0)
    still = make(lambda: drawn.release() or state.now, pause=0)
    still.display((VIEW, {}))
    shell.wait()
    assert drawn.acquire(timeout=LONG)
    still.display((VIEW, {}))
    # The second has it at once, and drawing it again tells nothing new.
    assert png(shell.updates[-1]) == b"one"
    assert drawn.acquire(timeout=LONG)
    before = len(shell.updates)
    state.now = b"two"
    shell.updated.clear()
    still.refresh()
    shell.wait()
    assert drawn.acquire(timeout=LONG)
    still._worker.submit(lambda task: None).result(LONG)
    new = shell.updates[before:]
    assert [png(update) for update in new] == [b"two", b"two"]
    assert {update[1] for update in new} == {shell.shown[0][1], shell.shown[3][1]}


def test_nothing_is_drawn_before_it_is_displayed(shell, make):
    drawn = []
    still = make(lambda: drawn.append(1), pause=0)
    still.refresh()
    still._worker.submit(lambda task: None).result(LONG)
    assert still._due is None
    assert drawn == []


def test_a_picture_that_cannot_be_drawn_is_logged(shell, make, caplog):
    def draw():
        raise ValueError("no ink")

    still = make(draw)
    logged = threading.Event()
    real = still_module._log
    still_module._log = lambda done: (real(done), logged.set())
    try:
        still.display((VIEW, {}))
        assert logged.wait(LONG)
    finally:
        still_module._log = real
    assert "no ink" in caplog.text
    assert shell.updates == []


def test_after_the_end_nothing_happens(shell, make):
    still = make(lambda: b"one", pause=0)
    still.display((VIEW, {}))
    shell.wait()
    still.close()
    still.refresh()
    still._ring()
    assert len(shell.updates) == 1


def test_where_outputs_are_all_shown_there_is_only_the_widget(shell, make, monkeypatch):
    monkeypatch.setattr(still_module, "_saves_outputs", lambda: False)
    still = make(lambda: b"one")
    still.display((VIEW, {}))
    assert [data for data, _ in shell.shown] == [VIEW]
    still.picture = b"one"
    still.display((VIEW, {}))
    assert base64.b64decode(shell.shown[-1][0]["image/png"]) == b"one"


def test_which_hosts_save_outputs(monkeypatch):
    monkeypatch.delenv("VSCODE_PID", raising=False)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert still_module._saves_outputs()
    monkeypatch.setitem(os.environ, "VSCODE_PID", "1")
    assert not still_module._saves_outputs()
    monkeypatch.delenv("VSCODE_PID")
    del shell.kernel  # a terminal
    assert not still_module._saves_outputs()
