"""Saved activations: the numbers, their names, where they come from, and no half files."""

from __future__ import annotations

import csv
import io
import json
import weakref

import keras
import numpy as np
import pytest

import resnet_widgets as rw
from resnet_widgets import archive
from resnet_widgets.explain import Scale

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cache():
    keras.utils.set_random_seed(2)
    inner_input = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv1_conv")(inner_input)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    inner = keras.Model(inner_input, x, name="body")
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(inner(inputs))
    return rw.ActivationCache(keras.Model(inputs, keras.layers.Dense(3, name="out")(x)))


def test_arrays_come_back_under_their_paths(cache, tmp_path):
    layers = ["body/conv1_conv", "body/conv1_relu", "avg_pool"]
    path = rw.save_activations(tmp_path / "cat.npz", cache, PHOTO, layers=layers)
    with np.load(path, allow_pickle=False) as saved:
        assert set(saved.files) == {*layers, "summary.csv", "origin.json"}
        for layer in layers:
            expected = cache.activation(PHOTO, layer)
            assert saved[layer].dtype == np.float32
            np.testing.assert_array_equal(saved[layer], expected)


def test_the_summary(cache, tmp_path):
    path = rw.save_activations(
        tmp_path / "cat.npz", cache, PHOTO, layers=["body/conv1_relu", "out"]
    )
    with np.load(path) as saved:
        rows = list(csv.DictReader(io.StringIO(saved["summary.csv"].decode())))
    assert [row["layer"] for row in rows] == ["body/conv1_relu", "out"]
    values = cache.activation(PHOTO, "body/conv1_relu").astype(np.float64)
    assert rows[0]["shape"] == "15x15x4"
    assert float(rows[0]["min"]) == values.min()
    assert float(rows[0]["max"]) == values.max()
    assert float(rows[0]["mean"]) == pytest.approx(values.mean(), rel=1e-12)
    assert float(rows[0]["std"]) == pytest.approx(values.std(), rel=1e-12)
    assert float(rows[0]["zeros"]) == np.mean(values == 0) > 0
    assert rows[0]["not_finite"] == "0"


def test_cells_that_are_no_numbers_are_counted():
    row = archive._summary(np.array([np.nan, 1, 3, 0, np.inf], np.float32))
    assert row == ["5", 0.0, 3.0, 4 / 3, pytest.approx(np.std([1, 3, 0])), 0.2, 2]
    assert archive._summary(np.full((2, 2, 1), np.nan, np.float32)) == ["2x2x1", *[""] * 4, 0.0, 4]


def test_the_origin(cache, tmp_path):
    from PIL import Image

    Image.fromarray(PHOTO).save(tmp_path / "cat.png")
    path = rw.save_activations(tmp_path / "cat.npz", cache, tmp_path / "cat.png", layers=["out"])
    with np.load(path) as saved:
        origin = json.loads(saved["origin.json"])
    assert origin["photo"] == "cat.png"
    assert origin["photo_size"] == [40, 60]
    assert origin["crop"] == [10, 0, 50, 40]
    assert origin["crop_sha1"] == rw.load_image(PHOTO, (32, 32)).digest
    assert origin["model"] == cache.about.title
    assert origin["versions"]["keras"] == keras.__version__


def test_an_edited_run(cache, tmp_path):
    edit = Scale("body/conv1_conv", 0, 3)
    run = cache.run(PHOTO, [edit])
    path = rw.save_activations(tmp_path / "cat.npz", cache, run, layers=["out"])
    with np.load(path) as saved:
        origin = json.loads(saved["origin.json"])
        np.testing.assert_array_equal(saved["out"], run.activation("out"))
    assert origin["edits"] == [edit.to_dict()]
    assert origin["photo_size"] == [40, 60]


def test_one_layer_at_a_time(cache, tmp_path, monkeypatch):
    real, given, alive = cache.activation, [], []

    def activation(image, layer):
        alive.append(sum(ref() is not None for ref in given))
        values = np.array(real(image, layer))
        given.append(weakref.ref(values))
        return values

    monkeypatch.setattr(cache, "activation", activation)
    layers = ["body/conv1_conv", "body/conv1_relu", "avg_pool", "out"]
    rw.save_activations(tmp_path / "cat.npz", cache, PHOTO, layers=layers)
    assert len(given) == 4
    assert max(alive) <= 1


def test_an_error_on_the_way_leaves_nothing(cache, tmp_path, monkeypatch):
    real = cache.activation
    monkeypatch.setattr(
        cache, "activation", lambda image, layer: {"avg_pool": real(image, layer)}[layer]
    )
    (tmp_path / "cat.npz").write_text("as before")
    with pytest.raises(KeyError):
        rw.save_activations(tmp_path / "cat.npz", cache, PHOTO, layers=["avg_pool", "out"])
    assert (tmp_path / "cat.npz").read_text() == "as before"
    assert len(list(tmp_path.iterdir())) == 1


def test_bad_arguments(cache, tmp_path):
    with pytest.raises(ValueError, match="No such layer"):
        rw.save_activations(tmp_path / "cat.npz", cache, PHOTO, layers=["none"])
    with pytest.raises(rw.ImageError):
        rw.save_activations(tmp_path / "cat.npz", cache, np.zeros((0, 3, 3)), layers=["out"])
    with pytest.raises(FileNotFoundError, match="Make it first"):
        rw.save_activations(tmp_path / "none" / "cat.npz", cache, PHOTO, layers=["out"])
    assert list(tmp_path.iterdir()) == []
