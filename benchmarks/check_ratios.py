"""Has anything become slow? The engine's ratios on the mini, against generous bounds.

    python benchmarks/check_ratios.py

Part of `make test`. Only ratios within this one run count, so a slow machine passes as well; a
network of this size makes them worse than those of ResNet50 in `README.md`.
"""

from __future__ import annotations

import sys

from bench_engine import build, measure, rows_of
from measure import table

# (name, compared with, highest ratio of the medians)
BOUNDS = (
    ("blocks", "forward", 1.6),
    ("activations", "forward", 2.2),
    ("everything", "forward", 4.0),
    ("another layer", "usual way", 1 / 10),
    ("cached", "usual way", 1 / 100),
)


def main() -> int:
    times, _ = measure(build("mini", 128), 128, runs=7)
    failed = [
        f"{name}: {ratio:.3g} × {base}, more than {bound:.3g}"
        for name, base, bound in BOUNDS
        if (ratio := times.ratio(name, base)) > bound
    ]
    if failed:
        print(table(rows_of(times)), *failed, sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
