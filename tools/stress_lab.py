"""Press on two explorers in a real JupyterLab, then look whether the last thing asked is shown.

    python tools/stress_lab.py
    python tools/stress_lab.py --events 1000 --layers 100 --photos 10 --seconds 2

Both share one cache. The page gets `--events` key presses on a slider within `--seconds`, then
`--layers` in the tree, while a cell computes; then the kernel sets `--photos` photos in a row, and
`--layers` layers at random; and all of it `--rounds` times. After each of these the pixels of both
maps are compared with NumPy's, and the memory of kernel and page is read. The exit status is 1 if
the kernel, or the page, has `--growth` MiB more after the last round than after the first. Kernels
use another ipykernel if it comes first on the path:

    pip install --target /tmp/ipykernel6 --no-deps "ipykernel<7" nest_asyncio
    PYTHONPATH=/tmp/ipykernel6 python tools/stress_lab.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from chromium import running_chromium  # noqa: E402
from lab_driver import Notebook, serving  # noqa: E402
from stress import CELLS, Stress  # noqa: E402

LONG = 300.0  # seconds in which anything must be there, on a busy machine


def press(stress: Stress, options: argparse.Namespace) -> tuple[float, float]:
    """One round of everything; returns the memory of kernel and page after it."""
    events, layers, photos, seconds = (
        options.events,
        options.layers,
        options.photos,
        options.seconds,
    )
    memory = stress.memory()
    for what, do in {
        f"{events} slider events": lambda: stress.slider(events, seconds),
        f"{layers} layers in the tree": lambda: stress.tree(layers, seconds),
        f"{photos} photos": lambda: stress.photos(photos),
        f"{layers} layers from the kernel": lambda: stress.layers(layers),
    }.items():
        began = time.monotonic()
        do()
        took, memory = time.monotonic() - began, stress.memory()
        print(f"{what}: {took:.1f} s; kernel {memory[0]:.0f} MiB, page {memory[1]:.0f} MiB")
    return memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--layers", type=int, default=1_000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--growth", type=float, default=60, help="MiB")
    parser.add_argument("--screenshot", type=Path, default="stress.png", help="if it fails")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as folder, running_chromium() as browser:
        root = Path(folder, "notebooks")
        root.mkdir()
        with serving(root, Path(folder, "jupyter")) as server:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(LONG * 1000)
            notebook = Notebook(server, page, server.write_notebook(*CELLS))
            print("ipykernel", notebook.evaluate("__import__('ipykernel').__version__"))
            try:
                stress = Stress(notebook, LONG)
                after = [press(stress, options) for _ in range(options.rounds)]
            except Exception:
                page.screenshot(path=options.screenshot)
                print(f"What it looks like now: {options.screenshot}")
                raise
            finally:
                notebook.close()
    grown = [last - first for first, last in zip(after[0], after[-1], strict=True)]
    print(f"From the first round to the last: kernel {grown[0]:+.0f} MiB, page {grown[1]:+.0f} MiB")
    return int(max(grown) > options.growth)


if __name__ == "__main__":
    sys.exit(main())
