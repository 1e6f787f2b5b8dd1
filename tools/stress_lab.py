"""Press on two explorers in a real JupyterLab, then look whether the last thing asked is shown.

    python tools/stress_lab.py
    python tools/stress_lab.py --layers 0 --photos 0 --rounds 1     # the 10 000 slider events only
    python tools/stress_lab.py --events 1000 --layers 100 --photos 10 --seconds 2

Both share one cache. The page gets `--events` key presses on a slider within `--seconds`, then
`--layers` in the tree, while a cell computes; then the kernel sets `--photos` photos in a row, and
`--layers` layers at random; and all of it `--rounds` times. A count of 0 leaves that part out.
After each of these the pixels of both maps are compared with NumPy's, and the memory of kernel and
page is read. The time is until both agree, so it is `--seconds` at least. At the end there is a row
for the table in `docs/reliability.md`. The exit status is 1 if the kernel, or the page, has
`--growth` MiB more after the last round than after the first.

The kernel runs with the ipykernel that is installed (7 or newer, with subshells), or with another
one that comes first on the path:

    pip install --target $TMP/ipykernel6 --no-deps "ipykernel<7" nest_asyncio
    PYTHONPATH=$TMP/ipykernel6 python tools/stress_lab.py
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from chromium import running_chromium  # noqa: E402
from lab_driver import Notebook, serving  # noqa: E402
from stress import CELLS, Stress  # noqa: E402

LONG = 300.0  # seconds in which anything must be there, on a busy machine


class Round(NamedTuple):
    """What one round has taken: seconds for each part of it, and MiB after it."""

    seconds: dict[str, float]
    kernel: float
    page: float


def press(stress: Stress, options: argparse.Namespace) -> Round:
    """One round of everything that is asked for."""
    events, layers, photos = options.events, options.layers, options.photos
    parts: list[tuple[int, str, Callable[[], None]]] = [
        (events, "slider events", lambda: stress.slider(events, options.seconds)),
        (layers, "layers in the tree", lambda: stress.tree(layers, options.seconds)),
        (photos, "photos", lambda: stress.photos(photos)),
        (layers, "layers from the kernel", lambda: stress.layers(layers)),
    ]
    seconds, memory = {}, stress.memory()
    for count, name, do in parts:
        if count:
            what, began = f"{count} {name}", time.monotonic()
            do()
            seconds[what], memory = time.monotonic() - began, stress.memory()
            kernel, page = memory
            print(f"{what}: {seconds[what]:.1f} s; kernel {kernel:.0f} MiB, page {page:.0f} MiB")
    return Round(seconds, *memory)


def row(ipykernel: str, rounds: list[Round]) -> str:
    """What came out, as a row of the table in `docs/reliability.md`."""
    first, last = rounds[0], rounds[-1]
    took = [
        f"{what} took {' and '.join(f'{each.seconds[what]:.1f}' for each in rounds)} s"
        for what in first.seconds
    ]
    kernel = (
        f"kernel {first.kernel:.0f} MiB after the first round, {last.kernel:.0f} after the last"
    )
    page = f"page {first.page:.0f} and {last.page:.0f}"
    cells = (
        f"Two explorers on one cache in JupyterLab, ipykernel {ipykernel}; a cell computes while "
        "the page is pressed on",
        f"{', '.join(first.seconds)}; rounds: {len(rounds)}",
        f"no deadlock, last values shown, pixels right; {kernel}, {page}; {', '.join(took)}",
        f"`{shlex.join(['python', *sys.argv])}`",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--events", type=int, default=10_000, help="key presses on the slider (%(default)s)")
    add("--layers", type=int, default=1_000, help="in the tree, then from the kernel (%(default)s)")
    add("--photos", type=int, default=100, help="set by the kernel (%(default)s)")
    add("--seconds", type=float, default=10, help="in which a page is pressed on (%(default)s)")
    add("--rounds", type=int, default=2, help="(%(default)s)")
    add("--growth", type=float, default=60, help="MiB from the first to the last (%(default)s)")
    add("--screenshot", type=Path, default="stress.png", help="if it fails (%(default)s)")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as folder, running_chromium() as browser:
        root = Path(folder, "notebooks")
        root.mkdir()
        with serving(root, Path(folder, "jupyter")) as server:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(LONG * 1000)
            notebook = Notebook(server, page, server.write_notebook(*CELLS))
            ipykernel = notebook.evaluate("__import__('ipykernel').__version__")
            print("ipykernel", ipykernel)
            try:
                stress = Stress(notebook, LONG)
                rounds = [press(stress, options) for _ in range(options.rounds)]
            except Exception:
                page.screenshot(path=options.screenshot)
                print(f"What it looks like now: {options.screenshot}")
                raise
            finally:
                notebook.close()
    print(row(ipykernel, rounds))
    first, last = rounds[0], rounds[-1]
    grown = max(last.kernel - first.kernel, last.page - first.page)
    return int(grown > options.growth)


if __name__ == "__main__":
    sys.exit(main())
