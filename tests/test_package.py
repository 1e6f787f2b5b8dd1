"""What is shipped, what it depends on, and what the files around the package promise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(path: Path) -> dict[str, str]:
    """Name → version of the `name==version` lines, names as PyPI compares them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_the_cpu_group_is_the_dependencies_but_for_tensorflow():
    group = [Requirement(line) for line in PYPROJECT["dependency-groups"]["runtime-cpu"]]
    project = {str(Requirement(line)) for line in PYPROJECT["project"]["dependencies"]}
    flavours = {r.name: r for r in group if r.name in ("tensorflow", "tensorflow-cpu")}
    rest = {str(r) for r in group if r.name not in flavours}
    assert rest | {f"tensorflow{flavours['tensorflow'].specifier}"} == project
    assert flavours["tensorflow-cpu"].specifier == flavours["tensorflow"].specifier


@pytest.mark.parametrize(
    ("platform", "machine", "flavour"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("win32", "AMD64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "x86_64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
    ],
)
def test_every_platform_gets_exactly_one_tensorflow(platform, machine, flavour):
    here = {**default_environment(), "sys_platform": platform, "platform_machine": machine}
    group = [Requirement(line) for line in PYPROJECT["dependency-groups"]["runtime-cpu"]]
    chosen = [r.name for r in group if r.marker is None or r.marker.evaluate(here)]
    assert [name for name in chosen if name.startswith("tensorflow")] == [flavour]


def test_groups_say_what_the_extra_says():
    extra = PYPROJECT["project"]["optional-dependencies"]["lab"]
    group = PYPROJECT["dependency-groups"]["lab"]
    assert [line for line in group if isinstance(line, str)] == extra


def test_the_oldest_versions_are_those_that_are_allowed():
    oldest = pins(ROOT / "constraints-oldest.txt")
    lines = PYPROJECT["dependency-groups"]["runtime-cpu"]
    lowest = {}
    for requirement in map(Requirement, lines):
        (bound,) = [s.version for s in requirement.specifier if s.operator == ">="]
        lowest[requirement.name] = bound
    assert oldest.keys() == lowest.keys()
    for name, bound in lowest.items():
        # Where the bound leaves out numbers, they are zero.
        assert oldest[name].startswith(bound), name
        assert set(oldest[name][len(bound) :].split(".")) <= {"", "0"}, name


def test_constraints_pin_all_direct_dependencies_and_name_no_host():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "//" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    versions = pins(ROOT / "constraints.txt")
    groups = PYPROJECT["dependency-groups"].values()
    for line in (line for group in groups for line in group if isinstance(line, str)):
        requirement = Requirement(line)
        assert versions[requirement.name] in requirement.specifier, line


def test_lock_file_names_no_registry():
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]


def test_notebooks_are_committed_without_outputs():
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert "widgets" not in notebook["metadata"]
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(c["outputs"] == [] and c["execution_count"] is None for c in code), path


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """A wheel and an sdist, both built here, the wheel by way of the sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    # Nothing may want Node: the build sees a PATH with nothing on it.
    environment = {**os.environ, "PATH": str(out)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_the_wheel_has_every_file_of_the_package(built):
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "resnet_widgets").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(built[0]) as wheel:
        shipped = set(wheel.namelist())
        metadata = wheel.read(next(n for n in shipped if n.endswith("/METADATA"))).decode()
    assert tracked <= shipped
    assert "resnet_widgets/py.typed" in shipped
    assert {name.split("/")[0] for name in shipped if "dist-info" not in name} == {"resnet_widgets"}
    assert "\nRequires-Dist: tensorflow>=" in metadata
    assert "tensorflow-cpu" not in metadata.split("\n\n")[0]


def test_the_sdist_can_be_tested_where_it_is_unpacked(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.split("/", 1)[-1] for name in sdist.getnames()}
    assert {"Makefile", "constraints.txt", "tests/conftest.py", "tools/check"} <= names
    assert not {name for name in names if name.startswith((".venv", "node_modules"))}


def test_the_installed_wheel_works_by_itself(built, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(site)
    script = (
        "import resnet_widgets as rw; print(rw.__file__)\n"
        "import numpy as np\n"
        "frame = rw.Frame.from_activation(np.ones((2, 2, 1), 'float32'))\n"
        "rw.FrameStore(lambda photo, layer: frame)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "PATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert Path(result.stdout.strip()).is_relative_to(site)
