"""Every notebook runs from top to bottom, with no network, in little memory."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MIB = 2**20
# Binder ends a kernel above 2 GB; this leaves room for ImageNet's weights and for a second photo.
MOST_MEMORY = 1300 * MIB


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    """`tools/run_notebooks.py`, which is no package."""
    spec = importlib.util.spec_from_file_location(
        "run_notebooks", ROOT / "tools" / "run_notebooks.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_offline_in_little_memory(path, tool, tmp_path, capsys):
    assert path.stat().st_size < 100_000
    done = tool.run(path, tool.offline_environment(tmp_path))
    with capsys.disabled():
        print(f"\n  {path.stem}: {done.seconds:.0f} s, peak {done.peak / MIB:.0f} MiB ", end="")
    assert done.peak < MOST_MEMORY
    printed = "".join(
        output.text
        for cell in done.notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )
    # Each lesson says which network it shows, and with no network that is the mini.
    assert "embedded mini ResNet50" in printed
    assert "ImageNet weights were not reachable" in printed


def test_their_kernels_have_no_network(tool, tmp_path):
    code = """
import socket, urllib.request
for ask in (
    lambda: urllib.request.urlopen("https://example.org", timeout=5),
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=5),
):
    try:
        ask()
        print("answered")
    except OSError as error:
        print(error)
"""
    path = tmp_path / "ask.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
    done = tool.run(path, tool.offline_environment(tmp_path))
    (output,) = done.notebook.cells[0].outputs
    assert output.text.count("Tests have no network") == 2


def test_peak_memory_is_that_of_the_kernel(tool, tmp_path):
    path = tmp_path / "large.ipynb"
    code = "block = bytearray(300 * 2**20); del block"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
    assert 300 * MIB < tool.run(path).peak < 500 * MIB


def _text(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_a_lesson(path):
    text = _text(path)
    number = int(path.name[:2])
    assert text.startswith(f"# {number} · ")
    assert all(f"| **{row}** |" in text for row in ("Goal", "Time", "Before"))
    # Two questions at least, each with an answer that does not show before it is asked for.
    questions = re.findall(r"^\*\*\d+\.\*\*", text, re.MULTILINE)
    assert len(questions) == text.count("<details><summary>Answer</summary>") >= 2
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path):
    text = _text(path)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            assert (path.parent / target).is_file(), target
    following = [other for other in NOTEBOOKS if other > path][:1]
    assert all(f"]({other.name})" in text for other in following)
