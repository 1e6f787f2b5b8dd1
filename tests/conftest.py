"""Fixtures for all tests, and the two rules they run under: no network, no old weights."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import find_chromium, running_chromium
from offline.no_network import cut_off

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before anything imports Keras: weights that an earlier run has downloaded must not help.
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="rw-keras-")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by their folder, and skips those that need a browser where there is none."""
    here = Path(__file__).parent
    no_browser = pytest.mark.skip(reason="no Chromium found; set RW_CHROMIUM to the path of one")
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in ("browser", "lab"):
            item.add_marker(folder)
            if find_chromium() is None:
                item.add_marker(no_browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one browser of all tests."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Lets sockets reach this machine only; anything else fails as it would with no network."""
    with pytest.MonkeyPatch.context() as patch:
        cut_off(patch.setattr)
        yield


@pytest.fixture(scope="session")
def photo_path() -> Path:
    """A real photo, 451 × 300, that comes with scikit-image: the cat Chelsea."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "chelsea.png"


@pytest.fixture(scope="session")
def random_resnet50():
    """Keras' own ResNet50 with seeded random weights."""
    import keras

    keras.utils.set_random_seed(50)
    return keras.applications.ResNet50(weights=None)


@pytest.fixture(scope="session")
def mini():
    """The embedded quarter-width ResNet50."""
    from resnet_widgets.engine.models import load_model

    return load_model("mini")
