"""What Binder would build from `binder/`; `tools/check_binder` installs and runs it as well."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_package import PYPROJECT, pins

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"


def test_requirements_are_the_pinned_dependencies_and_no_more():
    group = PYPROJECT["dependency-groups"]["runtime-cpu"]
    wanted = {Requirement(line).name for line in group} - {"tensorflow"} | {"scikit-image"}
    known = pins(ROOT / "constraints.txt")
    assert pins(BINDER / "requirements.txt") == {name: known[name] for name in wanted}


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory) -> str:
    """The Dockerfile that Binder's own tool writes for this repository."""
    repository = tmp_path_factory.mktemp("repository")
    shutil.copytree(BINDER, repository / "binder")
    shutil.copy(ROOT / "pyproject.toml", repository)
    command = ["repo2docker", "--no-build", "--debug", "--user-id=1000", "--user-name=jovyan"]
    shown = subprocess.run(
        [sys.executable, "-m", *command, str(repository)], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_binder_takes_the_python_that_runtime_txt_names(dockerfile):
    # A patch version crashes the build, and without the file Binder takes an old Python.
    (version,) = re.findall(r"\Apython-3\.(\d+)\n\Z", (BINDER / "runtime.txt").read_text())
    # The name of the lock file it copies, with everything but letters and digits encoded.
    assert f"environment-2epy-2d3-2e{version}-2dlinux" in dockerfile
    supported = re.findall(r"3\.(\d+)$", "\n".join(PYPROJECT["project"]["classifiers"]), re.M)
    assert version in supported


def test_binder_keeps_tensorflow_in_a_layer_of_its_own(dockerfile):
    steps = [
        "COPY --chown=1000:1000 src/binder/requirements.txt",
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        "RUN ./binder/postBuild",
    ]
    places = [dockerfile.index(step) for step in steps]
    # The whole repository comes after the large install: a new commit does not repeat that.
    assert places == sorted(places)


def test_binder_starts_sessions_through_our_script(dockerfile):
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


@pytest.fixture
def fake_tools(tmp_path):
    """Runs a script with a `pip` and a `python` that only note what they were asked to do."""

    def run(script: str, *arguments: str, pip: int = 0, python: int = 0):
        for name, status in (("pip", pip), ("python", python)):
            tool = tmp_path / name
            tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{tmp_path}/asked"\nexit {status}\n')
            tool.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", str(BINDER / script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )
        asked = tmp_path / "asked"
        return done, asked.read_text().splitlines() if asked.exists() else []

    return run


def test_post_build_installs_the_package_and_fetches_the_weights(fake_tools):
    done, asked = fake_tools("postBuild")
    assert done.returncode == 0
    assert asked[0] == "pip install --no-cache-dir --no-deps ."
    assert 'load_model("imagenet")' in asked[1]


def test_post_build_goes_on_without_weights(fake_tools):
    done, asked = fake_tools("postBuild", python=1)
    assert done.returncode == 0
    assert len(asked) == 2
    assert "ImageNet weights could not be fetched" in done.stderr


def test_post_build_does_not_go_on_without_the_package(fake_tools):
    done, asked = fake_tools("postBuild", pip=1)
    assert done.returncode != 0
    assert len(asked) == 1


def test_start_limits_threads_and_becomes_the_session(fake_tools):
    done, _ = fake_tools("start", "sh", "-c", 'env; echo "got $1"', "sh", "two words")
    assert done.returncode == 0
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        assert f"\n{variable}=1\n" in f"\n{done.stdout}"
    assert done.stdout.endswith("got two words\n")
    # `exec`, so that signals reach the server: no shell stays in between.
    assert (BINDER / "start").read_text().endswith('\nexec "$@"\n')
