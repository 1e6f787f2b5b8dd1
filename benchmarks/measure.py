"""What all benchmarks share: taking turns, medians, tables."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Row(NamedTuple):
    """One line of a table: what was measured, how long or how much, against what, and the aim."""

    what: str
    median: str
    spread: str = ""
    ratio: str = ""
    target: str = ""


def milliseconds(run: Callable[[], object]) -> float:
    """Wall time of `run()`."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


class Times:
    """Milliseconds by name. Things that are compared take turns, so that a machine that gets
    slower half-way slows all of them."""

    def __init__(self) -> None:
        self._all: dict[str, list[float]] = {}

    def note(self, name: str, run: Callable[[], object]) -> None:
        self.add(name, milliseconds(run))

    def add(self, name: str, value: float) -> None:
        self._all.setdefault(name, []).append(value)

    def add_all(self, others: Times) -> None:
        for name, values in others._all.items():
            for value in values:
                self.add(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def median(self, name: str) -> float:
        return statistics.median(self._all[name])

    def ratio(self, name: str, base: str) -> float:
        """The median of `name` for each `base`."""
        return self.median(name) / self.median(base)

    def row(self, what: str, name: str, base: str = "", target: str = "") -> Row:
        values = self._all[name]
        ratio = ""
        if base and name != base:
            share = self.ratio(name, base)
            ratio = f"{share:.2f} ×" if share > 0.2 else f"1 / {1 / share:.0f}"
        elif base:
            ratio = "1"
        spread = f"{short(_share(values, 0.05))}–{short(_share(values, 0.95))}"
        return Row(what, short(self.median(name)), spread, ratio, target)


def _share(values: list[float], share: float) -> float:
    """The value that this share of all values is not above."""
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


def short(value: float) -> str:
    """Three digits, or one behind the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(rows: Iterable[Row], unit: str = "ms", last: str = "target") -> str:
    """A Markdown table; columns that are empty throughout are left out."""
    heads = Row("what", unit, "5–95 %", "ratio", last)
    columns = [
        column
        for column in zip(heads, *rows, strict=True)
        if any(column[1:]) or column[0] in ("what", unit)
    ]
    right = {unit, "5–95 %", "ratio"}
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "| " + " | ".join(
            cell.rjust(width) if column[0] in right else cell.ljust(width)
            for cell, column, width in zip(line, columns, widths, strict=True)
        ) + " |"
        for line in zip(*columns, strict=True)
    ]  # fmt: skip
    rule = (
        "-" * (width + 1) + (":" if column[0] in right else "-")
        for column, width in zip(columns, widths, strict=True)
    )
    return "\n".join([lines[0], "|" + "|".join(rule) + "|", *lines[1:]])


def setting(*packages: str) -> str:
    """Machine and versions, in one sentence."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    names = ["numpy", "keras", "tensorflow-cpu", "tensorflow", *packages]
    versions = [f"Python {sys.version.split()[0]}"]
    for name in names:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{cores} cores, {platform.machine()}{load}. {', '.join(versions)}."
