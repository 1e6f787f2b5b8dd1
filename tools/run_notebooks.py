"""Runs notebooks from top to bottom, each in a kernel of its own, and says what each one took.

    python tools/run_notebooks.py notebooks/*.ipynb            as they are
    python tools/run_notebooks.py --offline notebooks/*.ipynb  cut off from the network

With `--out FOLDER` the notebooks are kept there with their outputs. Needs nbclient and ipykernel.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

MIB = 2**20
OFFLINE = Path(__file__).parents[1] / "tests" / "offline"
# The file knows the peak of the process itself; getrusage may report that of its parent.
_PEAK = """
import pathlib, resource, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = 1024 * int(line.split()[1])
else:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak)
"""


@dataclass(frozen=True)
class Run:
    """One notebook that ran to its end.

    Attributes:
        seconds: From the start of the kernel to the end of the last cell.
        peak: Most memory its kernel held in RAM at any time, in bytes.
        notebook: With outputs.
    """

    seconds: float
    peak: int
    notebook: nbformat.NotebookNode


def run(path: Path, environment: dict[str, str] | None = None, cell_seconds: int = 300) -> Run:
    """Runs the notebook at `path`; an error in a cell is an error here.

    Args:
        path: The notebook, which is not changed.
        environment: Environment of the kernel. Defaults to that of this process.
        cell_seconds: Longest time that a cell may take.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = list(notebook.cells)
    notebook.cells.append(nbformat.v4.new_code_cell(_PEAK))
    # The state of the widgets would be larger than all the rest, and nothing here reads it.
    client = NotebookClient(
        notebook, timeout=cell_seconds, kernel_name="python3", store_widget_state=False
    )
    start = time.perf_counter()
    client.execute(env=environment or dict(os.environ), cwd=str(path.parent))
    seconds = time.perf_counter() - start
    peak = int(notebook.cells[-1].outputs[0].text)
    notebook.cells = cells
    return Run(seconds, peak, notebook)


def offline_environment(home: Path) -> dict[str, str]:
    """The environment of a kernel that reaches no other machine and finds no downloaded weights.

    Args:
        home: Folder to be used in place of Keras' cache.
    """
    paths = [str(OFFLINE), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "KERAS_HOME": str(home),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--offline", action="store_true", help="without a network, with the mini")
    parser.add_argument("--limit", type=float, help="MiB that no kernel may exceed")
    parser.add_argument("--out", type=Path, help="folder for the notebooks with outputs")
    arguments = parser.parse_args()
    too_large = []
    with tempfile.TemporaryDirectory() as home:
        environment = offline_environment(Path(home)) if arguments.offline else None
        for path in arguments.notebooks:
            done = run(path, environment)
            print(
                f"{path.name:36} {done.seconds:6.1f} s   peak {done.peak / MIB:6.0f} MiB",
                flush=True,
            )
            if arguments.out:
                arguments.out.mkdir(parents=True, exist_ok=True)
                nbformat.write(done.notebook, arguments.out / path.name)
            if arguments.limit and done.peak > arguments.limit * MIB:
                too_large.append(path.name)
    if too_large:
        sys.exit(f"More than {arguments.limit:.0f} MiB: {', '.join(too_large)}")


if __name__ == "__main__":
    main()
