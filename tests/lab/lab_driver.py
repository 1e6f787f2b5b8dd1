"""Drives a private JupyterLab: starts a server, opens notebooks in a page, runs their cells."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page

_NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}
# Nothing listens there, so whatever asks for the network fails at once, as it would offline.
_NOWHERE = "http://127.0.0.1:9"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def private_environment(home: Path) -> dict[str, str]:
    """The user's environment, but with no settings, no kernels, no weights and no network."""
    private = {
        name: str(home / name.lower())
        for name in (
            "IPYTHONDIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "KERAS_HOME",
        )
    }
    news = Path(private["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", "apputils-extension")
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps(_NO_NEWS))
    return {
        **os.environ,
        **private,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "http_proxy": _NOWHERE,
        "https_proxy": _NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


class Server:
    """A JupyterLab of its own, on loopback, over the folder `root`.

    Args:
        root: Folder whose notebooks are served.
        home: Empty folder for everything Jupyter wants to keep.
    """

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={root}",
            "--ServerApp.disable_check_xsrf=True",
            "--IdentityProvider.token=",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=private_environment(home),
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log: list[str] = []
        self._ready = threading.Event()
        threading.Thread(target=self._read_log, daemon=True).start()
        self._ready.wait(timeout=120)
        if self._process.poll() is not None or not self._ready.is_set():
            self.stop()
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.log))

    def _read_log(self) -> None:
        """Keeps the server's pipe empty for as long as it runs."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if "is running at" in line:
                self._ready.set()
        self._ready.set()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def write_notebook(self, *cells: str) -> str:
        """Makes a notebook of these code cells; returns its path."""
        path = f"cells-{len(list(self.root.iterdir()))}.ipynb"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            # Without it JupyterLab asks which kernel to start, and waits.
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.root / path)
        return path

    def request(self, method: str, path: str) -> None:
        """Sends one request without a body to the server's REST interface."""
        urllib.request.urlopen(urllib.request.Request(self.url + path, method=method)).close()


class Notebook:
    """One notebook, open in one page of JupyterLab or Notebook 7, with a kernel of its own.

    Args:
        server: Where it is served.
        page: Empty page to open it in.
        path: File name of the notebook, seen from `server.root`.
        view: Front of its address: `"doc/tree"` for JupyterLab, `"notebooks"` for Notebook 7.
    """

    def __init__(self, server: Server, page: Page, path: str, view: str = "doc/tree") -> None:
        self.server, self.page, self.path, self.view = server, page, path, view
        self._open()
        self.kernel_id = page.evaluate(
            "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.id"
        )

    def _open(self) -> None:
        self.page.goto(f"{self.server.url}/{self.view}/{self.path}")
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        # A second tab is sent on to a workspace of its own: a waiting function goes along.
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget?.context?.sessionContext"
            ".session?.kernel?.connectionStatus === 'connected'"
        )

    def execute(self, command: str) -> None:
        """Runs a command of JupyterLab and waits until it is done."""
        self.page.evaluate("(id) => jupyterapp.commands.execute(id).then(() => true)", command)

    def start(self, code: str) -> None:
        """Starts code in the notebook's kernel, as a cell would, and does not wait for its end."""
        # The kernel's status says nothing: callbacks of widgets, too, make it busy and idle.
        self.page.evaluate(
            """(code) => new Promise((started) => {
              const { kernel } = jupyterapp.shell.currentWidget.context.sessionContext.session;
              // An interrupt ends this one, and not what was asked after it.
              const future = kernel.requestExecute({ code, stop_on_error: false });
              future.onIOPub = ({ header }) => header.msg_type === "execute_input" && started();
              window.running = true;
              future.done.finally(() => { window.running = false; });
            })""",
            code,
        )

    def run(self, code: str) -> None:
        """Runs code as `start` does, to its end."""
        self.start(code)
        self.page.wait_for_function("() => !window.running")

    @property
    def is_running(self) -> bool:
        """Whether what `start` has started still runs."""
        return self.page.evaluate("() => window.running")

    def interrupt(self) -> None:
        """Stops what `start` has started."""
        self.server.request("POST", f"/api/kernels/{self.kernel_id}/interrupt")
        self.page.wait_for_function("() => !window.running")

    def evaluate(self, expression: str) -> Any:
        """Value of a Python expression in the kernel, by way of JSON."""
        reply = self.page.evaluate(
            """async (expression) => {
              const { kernel } = jupyterapp.shell.currentWidget.context.sessionContext.session;
              const request = { code: "", user_expressions: { value: expression } };
              const reply = await kernel.requestExecute(request).done;
              return reply.content.user_expressions.value;
            }""",
            # As text: of a reply that JSON has no words for, the page would never hear.
            f"__import__('json').dumps({expression})",
        )
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply['ename']}: {reply['evalue']}")
        return json.loads(ast.literal_eval(reply["data"]["text/plain"]))

    def wait_for_value(self, expression: str, value: Any, seconds: float = 30) -> None:
        """Asks the kernel until a Python expression has this value."""
        deadline = time.monotonic() + seconds
        while (found := self.evaluate(expression)) != value:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression} should become {value!r}. Received: {found!r}")

    def run_all(self) -> None:
        """Runs every cell; an error in one of them is an error here."""
        self.execute("notebook:run-all-cells")
        errors = self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.context.model.toJSON().cells"
            ".flatMap((cell) => cell.outputs ?? [])"
            ".filter((output) => output.output_type === 'error')"
            ".map((output) => output.traceback.join('\\n'))"
        )
        if errors:
            raise RuntimeError("\n".join(errors))

    @property
    def cell_count(self) -> int:
        return self.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")

    def save(self) -> int:
        """Saves the notebook; returns the size of the file in bytes."""
        self.execute("docmanager:save")
        return (self.server.root / self.path).stat().st_size

    def reload(self) -> None:
        """Loads the page anew; the kernel goes on."""
        self.page.reload()
        self.wait_until_connected()

    def reload_until_alive(self) -> None:
        """Loads a page anew that says its widgets were not found, as its user would."""
        # ipywidgets gives up after two seconds of looking, also where the models came meanwhile
        # and a busy page has not looked again.
        for _ in range(4):
            state = self.page.wait_for_function(
                """() => {
                  const outputs = [...document.querySelectorAll(".jp-OutputArea-output")];
                  if (outputs.some((one) => one.querySelector(".rw"))) return "alive";
                  const given_up = outputs.some((one) => /model not found/.test(one.textContent));
                  return given_up && "given up";
                }"""
            )
            if state.json_value() == "alive":
                return
            self.reload()
        raise RuntimeError("JupyterLab has not found the widgets of this notebook four times.")

    def reconnect(self) -> None:
        """Loses the line to the kernel and finds it again, as a laptop does that was asleep."""
        # JupyterLab then asks the kernel for all traits of all widgets, and takes them over.
        self.page.evaluate(
            """async () => {
              const { session } = jupyterapp.shell.currentWidget.context.sessionContext;
              const answered = new Promise((done) => {
                session.kernel.anyMessage.connect((_, { msg }) => {
                  if (msg.content.data?.method === "update_states") setTimeout(done);
                });
              });
              await session.kernel.reconnect();
              await answered;
            }"""
        )
        self.wait_until_connected()

    def restart(self) -> None:
        """Restarts the kernel as the menu does, once it is confirmed; the page stays."""
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"
        )
        self.wait_until_connected()

    def kill(self, pid: int) -> None:
        """Ends the kernel's process the hard way, and waits until Jupyter has a new one."""
        restarted = self.page.evaluate_handle(
            """() => {
              const { kernel } = jupyterapp.shell.currentWidget.context.sessionContext.session;
              const state = { seen: false };
              kernel.statusChanged.connect((_, status) => {
                state.seen ||= /restarting/.test(status);
              });
              return state;
            }"""
        )
        os.kill(pid, signal.SIGKILL)
        self.page.wait_for_function("state => state.seen", arg=restarted)
        self.wait_until_connected()

    def in_another_tab(self) -> Notebook:
        """The same notebook and kernel in a second page of the same browser."""
        other = Notebook(self.server, self.page.context.new_page(), self.path, self.view)
        other.reload_until_alive()
        return other

    def close(self) -> None:
        self.server.request("DELETE", f"/api/kernels/{self.kernel_id}")


@contextlib.contextmanager
def serving(root: Path, home: Path) -> Iterator[Server]:
    """A `Server` that is stopped at the end."""
    server = Server(root, home)
    try:
        yield server
    finally:
        server.stop()
