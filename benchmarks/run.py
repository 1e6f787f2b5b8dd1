"""Runs every benchmark and writes what they print into README.md: `make bench`.

    python benchmarks/run.py [name …]

With names, as in `engine start`, only those run and the results of the others stay as they are.
"""

from __future__ import annotations

import datetime
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
# Name of the section → what is run.
RUNS = {
    "engine": ["bench_engine.py", "--processes", "3"],
    "engine, mini": ["bench_engine.py", "--model", "mini"],
    "engine, ResNet101": ["bench_engine.py", "--model", "resnet101", "--runs", "10"],
    "engine, ResNet152": ["bench_engine.py", "--model", "resnet152", "--runs", "10"],
    "engine, 512 × 512": ["bench_engine.py", "--side", "512", "--runs", "8"],
    "engine, 1024 × 1024": ["bench_engine.py", "--side", "1024", "--runs", "3"],
    "explain": ["bench_explain.py"],
    "start": ["bench_start.py"],
    "memory": ["bench_memory.py"],
    "browser": ["bench_browser.py"],
    "browser, 1024 × 1024": ["bench_browser.py", "--side", "1024", "--picks", "4", "--layers", "8"],
    "why": ["bench_why.py"],
    "peers": ["bench_peers.py"],
}


def processor() -> str:
    """What the processor calls itself, as far as the system tells."""
    try:
        names = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return names[0].strip() if names else platform.processor() or platform.machine()


def main() -> int:
    names = sys.argv[1:] or list(RUNS)
    unknown = [name for name in names if name not in RUNS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(RUNS)}")
        return 2
    failed = []
    for name in names:
        script, *options = RUNS[name]
        print(f"\n== {name}", flush=True)
        run = subprocess.run(
            [sys.executable, str(HERE / script), *options], stdout=subprocess.PIPE, text=True
        )
        print(run.stdout)
        if run.returncode:
            failed.append(name)
            continue
        write(name, " ".join([script, *options]), run.stdout.strip())
    print("FAILED: " + ", ".join(failed) if failed else f"The results are in {README.name}.")
    return bool(failed)


def write(name: str, command: str, output: str) -> None:
    """Puts one section of results in its place."""
    head, _, results = README.read_text("utf-8").partition("\n### ")
    sections = dict(re.findall(r"(?:\A|### )(.+)\n\n([\s\S]+?)\n*(?=\n### |\Z)", results))
    today = datetime.date.today().isoformat()
    sections[name] = f"`{command}`, {today}, {processor()}.\n\n{output}"
    ordered = [f"### {known}\n\n{sections[known]}\n" for known in RUNS if known in sections]
    README.write_text("\n".join([head.rstrip() + "\n", *ordered]), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
