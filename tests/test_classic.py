"""The three usual answers to "what is the intermediate output of a Keras ResNet50?", and ours."""

import keras
import numpy as np
import pytest

import resnet_widgets as rw

STAGES = ["conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"]


@pytest.fixture(scope="module")
def cache(random_resnet50):
    cache = rw.ActivationCache(random_resnet50)
    yield cache
    cache.close()


@pytest.fixture(scope="module")
def theirs(random_resnet50, photo_path):
    """The four stage outputs as the tutorials get them, for the same pixels."""
    pixels = rw.load_image(photo_path).pixels[None].astype("float32")
    x = keras.applications.resnet50.preprocess_input(pixels)
    base = random_resnet50
    model = keras.Model(base.inputs[0], [base.get_layer(name).output for name in STAGES])
    return dict(zip(STAGES, model.predict(x, verbose=0), strict=True))


def assert_same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_one_named_layer(cache, theirs, photo_path):
    features = cache.activation(photo_path, "conv5_block3_out")
    assert features.shape == (7, 7, 2048)
    assert_same(features, theirs["conv5_block3_out"][0])


def test_several_stages_at_once(cache, theirs, photo_path):
    outputs = cache.activations(photo_path, STAGES)
    assert {name: output.shape for name, output in outputs.items()} == {
        "conv2_block3_out": (56, 56, 256),
        "conv3_block4_out": (28, 28, 512),
        "conv4_block6_out": (14, 14, 1024),
        "conv5_block3_out": (7, 7, 2048),
    }
    for name in STAGES:
        assert_same(outputs[name], theirs[name][0])


def test_the_first_sixteen_feature_maps(cache, theirs, photo_path):
    figure = rw.plot_channels(cache, photo_path, "conv3_block4_out", n=16)
    maps = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(maps) == 16
    for channel, drawn in enumerate(maps):
        assert drawn.get_cmap().name == "viridis"
        plane = theirs["conv3_block4_out"][0, :, :, channel]
        assert_same(np.asarray(drawn.get_array()), plane)
