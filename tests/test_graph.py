"""Layers, receptive fields and cut points, read from the graphs of real Keras models."""

import itertools

import keras
import numpy as np
import pytest

from resnet_widgets.engine.graph_reader import read_layers
from resnet_widgets.engine.receptive_field import ReceptiveField


def build(name, **kwargs):
    keras.backend.clear_session()
    return getattr(keras.applications, name)(weights=None, **kwargs)


@pytest.fixture(scope="module")
def resnet():
    return read_layers(build("ResNet50"))


def test_resnet50_rows_are_the_models_layers(resnet):
    model = build("ResNet50")
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert {row.path for row in resnet[1:]} == {layer.name for layer in layers}
    assert resnet[0].kind == "InputLayer"
    by_name = {layer.name: layer for layer in layers}
    for row in resnet[1:]:
        layer = by_name[row.path]
        assert row.name == row.path
        assert row.kind == type(layer).__name__
        assert row.shape == tuple(layer.output.shape[1:])
        assert row.dtype == layer.output.dtype
        assert row.parameters == layer.count_params()


@pytest.mark.parametrize(
    ("layer", "detail"),
    [
        ("conv1_pad", ""),
        ("conv1_conv", "7×7/2"),
        ("conv1_bn", ""),
        ("conv1_relu", "relu"),
        ("pool1_pool", "3×3/2"),
        ("conv3_block1_0_conv", "1×1/2"),
        ("conv3_block1_2_conv", "3×3"),
        ("predictions", "softmax"),
    ],
)
def test_details_say_what_the_kind_leaves_open(resnet, layer, detail):
    assert resnet.find(layer).detail == detail


def test_details_of_uneven_strides_and_fused_activations():
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, (3, 5), (1, 2), activation="relu", name="uneven")(image)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    rows = read_layers(keras.Model(image, keras.ops.relu(x)))
    assert [row.detail for row in rows] == ["", "3×5/1×2 relu", "2×2/2", ""]


def test_resnet50_falls_into_a_stem_sixteen_blocks_and_a_head(resnet):
    outputs = [piece.output for piece in resnet.pieces]
    blocks = [
        f"conv{s}_block{b}_out"
        for s, n in zip("2345", (3, 4, 6, 3), strict=True)
        for b in range(1, n + 1)
    ]
    assert outputs == ["pool1_pool", *blocks, "predictions"]
    for before, after in itertools.pairwise(resnet.pieces):
        assert after.source == before.output


def test_every_row_belongs_to_the_stage_and_block_of_its_name(resnet):
    for row in resnet[1:]:
        if "_block" in row.name:
            stage, block, _ = row.name.split("_", 2)
            assert (row.stage, row.block) == (stage, f"{stage}_{block}")
    assert {row.stage for row in resnet if not row.block} == {"conv1", "head"}
    assert resnet.find("pool1_pool").stage == "conv1"


@pytest.mark.parametrize(
    ("layer", "size", "stride"),
    [
        ("conv1_conv", 7, 2),
        ("pool1_pool", 11, 4),
        ("conv2_block3_out", 35, 4),
        ("conv3_block4_out", 99, 8),
        ("conv4_block4_out", 227, 16),
        ("conv4_block6_out", 291, 16),
        ("conv5_block3_out", 483, 32),
    ],
)
def test_known_receptive_fields_of_resnet50(resnet, layer, size, stride):
    field = resnet.find(layer).receptive_field
    assert field.size == (size, size)
    assert field.stride == (stride, stride)


def test_the_head_sees_the_whole_picture(resnet):
    assert resnet.find("predictions").receptive_field == ReceptiveField((224, 224), (0, 0), (0, 0))


def test_the_shortcut_alone_sees_less_than_the_join(resnet):
    shortcut = resnet.find("conv3_block1_0_conv").receptive_field
    join = resnet.find("conv3_block1_add").receptive_field
    assert shortcut.size < join.size


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_receptive_field_is_what_a_gradient_reaches(padding, stride, dilation):
    """Only the pixels inside the field change the cell, and the ones on its rim do."""
    if stride > 1 and dilation > 1:
        stride = 1
    x = keras.Input((40, 36, 1))
    y = keras.layers.Conv2D(2, (3, 5), strides=stride, padding=padding, kernel_initializer="ones")(
        x
    )
    z = keras.layers.Conv2D(
        1, 3, dilation_rate=dilation, padding="same", kernel_initializer="ones"
    )(y)
    w = keras.layers.MaxPooling2D(2, padding=padding)(keras.layers.Conv2D(1, 1)(y))
    z = keras.layers.AveragePooling2D(2, padding=padding)(z)
    model = keras.Model(x, keras.layers.Add()([w, z]))
    field = read_layers(model).layers[-1].receptive_field
    rows, columns = model.output.shape[1:3]
    i, j = rows // 2, columns // 2
    import tensorflow as tf

    pixels = tf.Variable(np.random.default_rng(0).random((1, 40, 36, 1), dtype=np.float32))
    with tf.GradientTape() as tape:
        # Positive weights keep every gradient away from zero except through the maximum.
        cell = model(pixels, training=False)[0, i, j, 0]
    reached = np.argwhere(np.asarray(tape.gradient(cell, pixels))[0, :, :, 0] != 0)
    start = np.array(field.start) + np.array([i, j]) * field.stride
    np.testing.assert_array_equal(reached.min(axis=0), start)
    np.testing.assert_array_equal(reached.max(axis=0) + 1, start + field.size)


@pytest.mark.parametrize(
    ("name", "kwargs", "stages", "pieces"),
    [
        ("ResNet50", {"include_top": False}, "conv1 conv2 conv3 conv4 conv5", 17),
        ("ResNet50V2", {}, "conv1 conv2 conv3 conv4 conv5 head", 19),
        ("ResNet101", {}, "conv1 conv2 conv3 conv4 conv5 head", 35),
        ("ResNet152", {"include_top": False}, "conv1 conv2 conv3 conv4 conv5", 51),
        ("MobileNetV2", {}, "stage1 stage2 stage3 stage4 stage5 head", 16),
        ("DenseNet121", {}, "conv1 conv2 conv3 conv4 conv5 head", 64),
    ],
)
def test_other_networks_give_a_sensible_tree(name, kwargs, stages, pieces):
    model = build(name, **kwargs)
    graph = read_layers(model)
    assert " ".join(dict.fromkeys(row.stage for row in graph)) == stages
    assert len(graph.pieces) == pieces
    assert len(graph) == len(model.layers)
    assert all(row.receptive_field is not None for row in graph)
    assert all(None not in row.shape for row in graph)
    sizes = [graph.find(path).shape[0] for path in graph.stage_outputs]
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)


def test_a_cut_determines_all_that_follows():
    """Each piece takes nothing but the output of the one before."""
    for name in ("ResNet50V2", "MobileNetV2", "DenseNet121", "InceptionV3"):
        graph = read_layers(build(name))
        for piece in graph.pieces:
            own = {piece.source, *piece.paths}
            for path in piece.paths:
                assert set(graph.find(path).inputs) <= own


def test_sequential():
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="a"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(8, 3, padding="same", name="b"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(5, name="answer"),
        ]
    )
    graph = read_layers(model)
    rows = [(row.path, row.stage) for row in graph[1:]]
    assert rows == [
        ("a", "stage1"),
        ("pool", "stage2"),
        ("b", "stage2"),
        ("flat", "head"),
        ("answer", "head"),
    ]
    assert graph.stage_outputs == ("a", "b")


def test_nested_models_are_stepped_into():
    inner = build("ResNet50", include_top=False, input_shape=(64, 64, 3))
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Rescaling(1 / 255),
            inner,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    graph = read_layers(model)
    row = graph.find("resnet50/conv3_block2_out")
    assert (row.name, row.stage, row.block) == ("conv3_block2_out", "conv3", "conv3_block2")
    assert row.receptive_field.size == (67, 67)
    with pytest.raises(ValueError, match="resnet50/conv3_block2_out"):
        graph.find("conv3_block2_out")


def test_a_layer_called_twice_has_two_rows():
    x = keras.Input((8, 8, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    graph = read_layers(keras.Model(x, conv(conv(x))))
    assert [row.path for row in graph[1:]] == ["shared", "shared:1"]
    assert graph.find("shared:1").receptive_field.size == (5, 5)


def test_free_sizes_take_the_given_one():
    graph = read_layers(build("ResNet50", include_top=False), input_size=(160, 96))
    assert graph.find("conv5_block3_out").shape == (5, 3, 2048)
    assert graph.input_shape == (None, None, 3)


def test_reading_does_not_change_the_model():
    model = build("ResNet50", include_top=False)
    before = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model.layers]
    read_layers(model)
    after = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model.layers]
    assert before == after


def test_rows_are_json(resnet):
    import json

    row = json.loads(json.dumps(resnet.find("conv3_block4_out").to_row()))
    assert row["shape"] == [28, 28, 512]
    assert row["field"] == {"size": [99, 99], "stride": [8, 8], "start": [-49, -49]}
    assert row["inputs"] == ["conv3_block4_add"]


def test_unknown_layers_name_the_nearest(resnet):
    with pytest.raises(ValueError, match="conv3_block4_out.*Received: layer='conv3_blok4_out'"):
        resnet.find("conv3_blok4_out")


def test_models_without_a_graph_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(TypeError, match="Functional or Sequential"):
        read_layers(Own())
    with pytest.raises(TypeError, match="Functional or Sequential"):
        read_layers(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(TypeError, match="Received: model='resnet'"):
        read_layers("resnet")


def test_channels_first_is_refused():
    x = keras.Input((3, 8, 8))
    y = keras.layers.Conv2D(2, 3, data_format="channels_first", name="first")(x)
    with pytest.raises(ValueError, match="channels last.*layer 'first'"):
        read_layers(keras.Model(x, y))


def test_receptive_fields_that_are_not_known_are_none():
    x = keras.Input((8, 8, 3))
    flipped = read_layers(keras.Model(x, x[..., ::-1])).layers[-1]
    assert flipped.receptive_field == ReceptiveField((1, 1), (1, 1), (0, 0))
    assert read_layers(keras.Model(x, x[:, 2:-2])).layers[-1].receptive_field is None
    stacked = keras.layers.Concatenate(axis=1)([x, keras.layers.ReLU()(x)])
    assert read_layers(keras.Model(x, stacked)).layers[-1].receptive_field is None


def test_models_that_do_not_take_one_image_are_refused():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="one batch of images"):
        read_layers(keras.Model([a, b], keras.layers.Add()([a, b])))
    vector = keras.Input((8,))
    with pytest.raises(ValueError, match="one batch of images"):
        read_layers(keras.Model(vector, keras.layers.Dense(2)(vector)))
