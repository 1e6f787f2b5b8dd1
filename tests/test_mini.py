"""The embedded mini: it is a ResNet50, its file is the right one, and it has learnt something."""

import io
import socket

import keras
import numpy as np
import pytest
import skimage.data

from resnet_widgets.engine import mini
from resnet_widgets.engine.images import load_image

preprocess = keras.applications.resnet50.preprocess_input


@pytest.fixture(scope="module")
def model():
    return mini.load_mini()


@pytest.fixture(scope="module")
def resnet50():
    return keras.applications.ResNet50(weights=None)


def geometry(layer):
    """What makes a layer do what it does, its number of channels left out."""
    keys = (
        "kernel_size", "strides", "padding", "pool_size", "dilation_rate", "groups", "use_bias",
        "activation", "epsilon", "momentum", "axis", "center", "scale", "data_format", "keepdims",
    )  # fmt: skip
    config = layer.get_config()
    return {key: config[key] for key in keys if key in config}


def test_layers_are_those_of_keras_resnet50(model, resnet50):
    # The name of the input counts how many models were made before.
    assert [a.name for a in model.layers[1:]] == [b.name for b in resnet50.layers[1:]]
    assert [type(a) for a in model.layers] == [type(b) for b in resnet50.layers]
    for ours, theirs in zip(model.layers, resnet50.layers, strict=True):
        assert geometry(ours) == geometry(theirs), ours.name


def test_layers_are_wired_as_in_keras_resnet50(model, resnet50):
    def sources(network):
        return {
            layer.name: [tensor._keras_history.operation.name for tensor in parents]
            for layer in network.layers[1:]
            for parents in [layer.input if isinstance(layer.input, list) else [layer.input]]
        }

    ours, theirs = sources(model), sources(resnet50)
    assert ours.pop("conv1_pad") == [model.layers[0].name]
    assert theirs.pop("conv1_pad") == [resnet50.layers[0].name]
    assert ours == theirs


def test_channels_are_a_quarter_and_sizes_follow_128(model, resnet50):
    for ours, theirs in zip(model.layers[1:-1], resnet50.layers[1:-1], strict=True):
        wide = theirs.output.shape[-1]
        assert ours.output.shape[-1] == (3 if wide == 3 else wide // 4), ours.name
    assert model.input_shape == (None, 128, 128, 3)
    assert model.output_shape == (None, len(mini.MINI_LABELS)) == (None, 10)
    ends = ["conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "avg_pool"]
    shapes = [model.get_layer(name).output.shape[1:] for name in ends]
    assert shapes == [(64, 64, 16), (32, 32, 64), (16, 16, 128), (8, 8, 256), (512,)]


def test_computes_what_keras_resnet50_computes(resnet50):
    """Same operations, not just the same names: ResNet50's wiring run with the mini's weights."""
    narrow = mini.load_mini()

    def clone(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["filters"] //= 4
        if isinstance(layer, keras.layers.Dense):
            config["units"] = 10
        return type(layer).from_config(config)

    inputs = keras.Input((128, 128, 3))
    twin = keras.models.clone_model(resnet50, input_tensors=inputs, clone_function=clone)
    twin.set_weights(narrow.get_weights())
    photo = preprocess(load_image(skimage.data.chelsea(), size=(128, 128)).array.copy())
    np.testing.assert_allclose(
        twin(photo, training=False), narrow(photo, training=False), atol=1e-6
    )


def test_weights_are_those_of_a_trained_network(model):
    for weight in model.weights:
        values = weight.numpy()
        assert values.dtype == np.float32
        assert np.isfinite(values).all(), weight.path
        if weight.path.endswith("moving_variance"):
            assert (values > 0).all(), weight.path
        if weight.path.endswith("kernel"):
            assert values.std() > 0, weight.path


def test_file_holds_one_array_per_weight_and_no_pickle(model):
    data = mini.WEIGHTS.read_bytes()
    assert len(data) <= 3_200_000
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        shapes = {name: archive[name].shape for name in archive.files}
        kinds = {archive[name].dtype for name in archive.files}
    assert shapes == {weight.path: tuple(weight.shape) for weight in model.weights}
    assert kinds == {np.dtype("float16"), np.dtype("float32")}


def test_damaged_file_is_refused(tmp_path, monkeypatch):
    data = bytearray(mini.WEIGHTS.read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / "mini.npz"
    damaged.write_bytes(data)
    monkeypatch.setattr(mini, "WEIGHTS", damaged)
    with pytest.raises(ValueError, match=r"mini\.npz, should have SHA-256 .*Received: \w{64}"):
        mini.load_mini()
    damaged.write_bytes(b"")
    with pytest.raises(ValueError, match=r"install resnet_widgets again.*\(0 bytes\)"):
        mini.load_mini()


def test_loads_without_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the mini reached for the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert mini.load_mini().name == "resnet50_mini"


def test_other_precision_policy_changes_nothing():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        narrow = mini.build_mini()
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in narrow.layers[1:]} == {"float32"}


def test_sees_a_cat(model):
    photo = load_image(skimage.data.chelsea(), size=(128, 128))
    shares = model(preprocess(photo.array.copy()), training=False).numpy()[0]
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert mini.MINI_LABELS[shares.argmax()] == "cat"


def test_first_filters_are_smooth(model):
    """A trained conv1 looks for edges and colours: neighbouring weights are alike, noise is not."""
    kernel = model.get_layer("conv1_conv").kernel.numpy()
    jumps = np.square(np.diff(kernel, axis=0)).sum() + np.square(np.diff(kernel, axis=1)).sum()
    # Independent weights: 84 differences and 49 weights per filter, so 2 · 84 / 49 = 3.4.
    assert jumps / np.square(kernel).sum() < 1.5
