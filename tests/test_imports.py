"""Who may import whom, and what a bare `import resnet_widgets` may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "resnet_widgets"
JUPYTER = {"IPython", "anywidget", "comm", "ipykernel", "ipywidgets", "traitlets"}
KERAS = {"h5py", "keras", "tensorflow"}

# Room → what of this package it may import, and what from outside it must not.
ROOMS = {
    "frame": (set(), JUPYTER | KERAS | {"PIL", "matplotlib"}),
    "engine": ({"frame", "engine"}, JUPYTER | {"matplotlib"}),
    "widgets": ({"frame", "widgets"}, KERAS | {"PIL", "matplotlib"}),
    "plots": ({"frame", "engine"}, JUPYTER),
    "archive": ({"engine", "files"}, JUPYTER),
    "files": (set(), JUPYTER | KERAS),
    "overview": ({"frame", "engine", "plots"}, JUPYTER),
}


def imported_modules(path: Path) -> set[str]:
    """Every module `path` imports, anywhere in the file, as absolute dotted names."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = list(package[: len(package) - node.level + 1]) if node.level else []
            base = ".".join(start + ([node.module] if node.module else []))
            # `from . import frame` names a module only in its second half.
            names.update({base, *(f"{base}.{alias.name}" for alias in node.names)})
    return names


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


SOURCES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    names = imported_modules(path)
    # A figure made through pyplot is global state, and callbacks run in threads.
    assert not {name for name in names if name.startswith("matplotlib.pyplot")}
    if room_of(path) not in ROOMS:
        return
    allowed, forbidden = ROOMS[room_of(path)]
    inside = {name.split(".")[1] for name in names if name.startswith("resnet_widgets.")}
    rooms = {room_of(source) for source in SOURCES}
    assert inside & rooms <= allowed
    assert not {name.split(".")[0] for name in names} & forbidden


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            "js",
            r"(inner|outer)HTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function",
        ),
        ("js", r"\bfetch\(|XMLHttpRequest|WebSocket|import\(\"http|from \"http|\bon[a-z]+: \""),
        ("py", r"\bpickle\.|allow_pickle=True|safe_mode=False|\b(eval|exec)\("),
    ],
)
def test_no_text_becomes_code_and_no_page_fetches(kind, words):
    """What a name or a file says is shown, not run; only `download.py` goes to a network."""
    sources = {path: path.read_text(encoding="utf-8") for path in ROOT.rglob(f"*.{kind}")}
    assert [path for path, text in sources.items() if re.search(words, text)] == []
    network = [
        path.stem for path in SOURCES if {"urllib", "urllib.request"} & imported_modules(path)
    ]
    assert network == ["download"]


def test_whatever_is_imported_is_a_declared_dependency():
    text = (ROOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    declared = {
        re.match(r"[\w-]+", line)[0] for line in tomllib.loads(text)["project"]["dependencies"]
    }
    modules = {name.split(".")[0] for path in SOURCES for name in imported_modules(path)}
    outside = modules - set(sys.stdlib_module_names) - {"resnet_widgets"}
    assert {{"IPython": "ipython", "PIL": "pillow"}.get(m, m) for m in outside} <= declared


def test_relative_imports_are_understood(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path / "resnet_widgets")
    path = tmp_path / "resnet_widgets" / "widgets" / "some.py"
    path.parent.mkdir(parents=True)
    path.write_text("from . import _base\nfrom ..engine.graph import x\nfrom .. import frame\n")
    assert imported_modules(path) >= {
        "resnet_widgets.widgets._base",
        "resnet_widgets.engine.graph",
        "resnet_widgets.frame",
    }


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("resnet_widgets", KERAS | {"matplotlib.pyplot"}),
        ("resnet_widgets.widgets", KERAS),
        ("resnet_widgets.engine", {"anywidget", "ipywidgets"}),
    ],
)
def test_importing_loads_only_what_is_needed(module, unwanted):
    script = f"import sys, {module}; print(*({unwanted!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    "first", ["rw.ActivationCache", "rw.explore(np.zeros((9, 9, 3), np.uint8)).wait()"]
)
def test_no_cycles_are_looked_for_while_tensorflow_is_imported(first):
    script = (
        "import gc, sys, numpy as np, resnet_widgets as rw\n"
        "walks = []\n"
        "def heard(phase, info):\n"
        "    if 'tensorflow' in sys.modules and 'keras.src.layers' not in sys.modules:\n"
        "        walks.append(info)\n"
        "gc.callbacks.append(heard)\n"
        f"{first}\n"
        "print(len(walks), gc.isenabled(), 'keras.src.layers' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    assert result.stdout.split()[-3:] == ["0", "True", "True"]


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
def test_every_name_that_needs_a_package_says_how_to_get_it(missing):
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import resnet_widgets as rw\n"
        "for name in rw.__all__:\n"
        "    try:\n"
        "        getattr(rw, name)\n"
        "    except ImportError as error:\n"
        "        print(name, error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    lines = result.stdout.splitlines()
    names = {line.split()[0] for line in lines}
    assert {"ActivationCache", "LayerInfo", "explain", "load_model", "save_activations"} <= names
    assert {"explore", "load_image", "Frame", "ActivationMap"}.isdisjoint(names)
    assert [line for line in lines if "pip install tensorflow" not in line] == []
