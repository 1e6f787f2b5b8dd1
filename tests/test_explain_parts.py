"""Residual blocks, sites, channels, early reading and feature visualisation, against plain code."""

import gc
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from explaining import both_networks, close, model_input, run_edited, said_until_ended
from scipy.ndimage import affine_transform
from tensorflow.python.framework.func_graph import FuncGraph

import resnet_widgets as rw
from resnet_widgets import explain

PHOTO = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)

cache, photo = both_networks()
mini = pytest.mark.parametrize("cache", ["mini"], indirect=True)


@pytest.fixture(scope="module")
def plain(cache, photo):
    """The output of every layer, from Keras itself, layer after layer."""
    return run_edited(cache.model, model_input(photo), {})


def test_all_blocks_are_found_in_the_graph(cache):
    blocks = explain.blocks_of(cache.graph)
    assert len(blocks) == 16
    assert blocks["conv3_block1"] == (
        "conv3_block1_0_bn",
        "conv3_block1_3_bn",
        "conv3_block1_add",
        "conv3_block1_out",
    )
    assert blocks["conv3_block2"][0] == "conv3_block1_out"


def test_energies_of_all_blocks(cache, photo, plain):
    blocks = explain.residual_shares(cache, photo)
    assert [one.block for one in blocks] == list(explain.blocks_of(cache.graph))
    for one in blocks:
        s, b, total = (plain[p].astype(float) for p in (one.shortcut, one.branch, one.add))
        close(s + b, total, 1e-5)
        close(one.shortcut_energy, (s**2).sum(axis=(0, 1)), 1e-3)
        close(one.branch_energy, (b**2).sum(axis=(0, 1)), 1e-3)
        close(one.sum_energy, (total**2).sum(axis=(0, 1)), 1e-3)
        kept = (plain[one.out].astype(float) ** 2).sum(axis=(0, 1))
        close(one.sum_energy - one.cut_energy, kept, 1e-3)
        # A cell so near zero that eager Keras has it on the other side is one in thousands.
        assert np.abs(one.cut_share - (total < 0).mean(axis=(0, 1))).mean() < 1e-3
        energies = (b**2).sum(), (s**2).sum()
        np.testing.assert_allclose(one.branch_share, energies[0] / sum(energies), rtol=1e-4)
        assert one.channel_shares.shape == (total.shape[2],)
        cosine = (s * b).sum() / np.sqrt(energies[0] * energies[1])
        np.testing.assert_allclose(one.agreement, cosine, atol=1e-4)


def test_a_block_from_within(cache, photo):
    one = explain.residual(cache, photo, "conv4_block3_2_relu")
    assert one.block == "conv4_block3"
    assert one.branch_share == explain.residual_shares(cache, photo)[9].branch_share


@mini
def test_all_blocks_say_how_far_they_are_and_can_be_ended(cache, photo):
    said = said_until_ended(3, lambda p: explain.residual_shares(cache, photo, progress=p))
    assert [share for share, _ in said] == [0, 1 / 16, 2 / 16]
    assert "2 of 16" in said[2][1]


def test_a_site(cache, photo, plain):
    for layer in ("conv3_block2_1_conv", "conv3_block2_1_bn", "conv3_block2_1_relu"):
        found = explain.site(cache, photo, layer)
        assert (found.conv, found.bn, found.relu) == (
            "conv3_block2_1_conv",
            "conv3_block2_1_bn",
            "conv3_block2_1_relu",
        )
    conv, bn = (plain[path] for path in (found.conv, found.bn))
    close(found.gain * conv + found.offset, bn, 1e-5)
    norm = cache.model.get_layer(found.bn)
    by_hand = (conv - found.mean) / np.sqrt(found.variance + norm.epsilon)
    close(found.scale * by_hand + found.shift, bn, 1e-5)
    assert np.abs(found.cut - (bn < 0).mean(axis=(0, 1))).mean() < 1e-3
    # The last convolution of a block has no ReLU of its own.
    last = explain.site(cache, photo, "conv3_block2_3_conv")
    assert (last.bn, last.relu, last.cut) == ("conv3_block2_3_bn", "", None)


@pytest.mark.parametrize("cell", [None, (0, 0), (3, 7)])
@pytest.mark.parametrize(
    "layer", ["conv3_block2_1_conv", "conv3_block1_1_bn", "conv3_block2_2_relu", "conv1_conv"]
)
def test_inputs_and_bias_sum_up_to_the_value(cache, photo, plain, layer, cell):
    found = explain.inputs_of(cache, photo, layer, 5, cell=cell)
    plane = plain[found.conv][..., 5].astype(float)
    value = plane.mean() if cell is None else plane[cell]
    slack = 1e-4 * (np.abs(found.shares).sum() + 1)
    np.testing.assert_allclose(found.value, value, atol=slack)
    total = found.shares.sum(dtype=np.float64) + found.bias
    np.testing.assert_allclose(total, value, atol=slack)
    ranked = found.ranked()
    sizes = [abs(share) for _, share in ranked]
    assert sizes == sorted(sizes, reverse=True)
    # A share is what the convolution makes of that input channel alone.
    conv = cache.model.get_layer(found.conv)
    for channel, share in (*ranked[:2], ranked[-1]):
        alone = plain[found.source] * (np.arange(len(ranked)) == channel)
        made = np.asarray(conv(alone[None].astype(np.float32)))[0, ..., 5] - found.bias
        np.testing.assert_allclose(share, made.mean() if cell is None else made[cell], atol=slack)


def test_shares_of_a_1x1_convolution_are_weight_times_activation(cache, photo, plain):
    for conv, source, channel, cell, taken in (
        ("conv3_block2_3_conv", "conv3_block2_2_relu", 9, (2, 4), (2, 4)),
        ("conv3_block1_0_conv", "conv2_block3_out", 2, (3, 5), (6, 10)),  # with a stride of 2
    ):
        found = explain.inputs_of(cache, photo, conv, channel, cell=cell)
        kernel = np.asarray(cache.model.get_layer(conv).kernel)
        close(found.shares, kernel[0, 0, :, channel] * plain[source][taken], 1e-4)


def test_kernels(cache):
    kernel = np.asarray(cache.model.get_layer("conv1_conv").kernel)
    np.testing.assert_array_equal(explain.kernels_of(cache, "conv1_relu", 4), kernel[..., 4])


def photos_of(colour, count, seed, side=128):
    rng = np.random.default_rng(seed)
    return [
        np.clip(rng.normal(colour, 30, (side, side, 3)), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


def test_early_reading_finds_the_nearest_class_mean(cache):
    side = cache.input_size[0]
    red, blue = (
        photos_of(colour, 3, seed, side)
        for seed, colour in ((1, (200, 60, 60)), (2, (60, 60, 200)))
    )
    pairs = [(p, "red") for p in red] + [(p, "blue") for p in blue]
    readings = explain.early_reading(cache, red[0], pairs)
    assert len(readings) == 17
    assert readings[0].labels[0] == "red"
    # The photo itself is left out of the means.
    some = [readings[3], readings[-1]]
    outputs = [cache.model.get_layer(reading.layer).output for reading in some]
    network = keras.Model(cache.model.input, outputs)
    for reading, features in zip(some, network(model_input(red + blue)), strict=True):
        pooled = np.asarray(features).mean(axis=(1, 2), dtype=float)
        means = [pooled[1:3].mean(axis=0), pooled[3:].mean(axis=0)]
        middle = np.mean(means, axis=0)
        mine = pooled[0] - middle
        cosines = [
            mine @ (m - middle) / np.linalg.norm(mine) / np.linalg.norm(m - middle) for m in means
        ]
        near = dict(zip(reading.labels, reading.similarities, strict=True))
        np.testing.assert_allclose([near["red"], near["blue"]], cosines, atol=1e-3)


@mini
def test_early_reading_needs_two_labels(cache):
    with pytest.raises(ValueError, match="at least two labels"):
        explain.early_reading(cache, PHOTO, [(PHOTO, "a"), (photos_of(90, 1, 3)[0], "b")])


@mini
def test_early_reading_says_how_far_it_is_and_can_be_ended(cache, photo):
    pairs = [(p, str(n)) for n, p in enumerate(photos_of(120, 4, 5))]
    said = said_until_ended(3, lambda p: explain.early_reading(cache, photo, pairs, progress=p))
    # Four photos, and the one that is read.
    assert [share for share, _ in said] == [0, 1 / 5, 2 / 5]


@mini
def test_labelled_photos_are_computed_once_for_each_state_of_the_weights(cache):
    photos = explain.LabelledPhotos(
        {"red": photos_of((200, 60, 60), 2, 1), "blue": photos_of((60, 60, 200), 2, 2)}
    )
    first = explain.early_reading(cache, PHOTO, photos)
    before = cache.info()
    assert explain.early_reading(cache, PHOTO, photos) == first
    after = cache.info()
    # The photo itself at most: its cuts may have been let go meanwhile.
    assert after.surveys - before.surveys <= 1
    assert explain.early_reading(cache, PHOTO, _by_label(photos.pairs)) == first
    cache.clear()
    cleared = cache.info()
    explain.early_reading(cache, PHOTO, photos)
    assert cache.info().surveys - cleared.surveys >= 4


@mini
def test_blocks_are_taken_apart_for_one_photo(cache):
    for ask in (explain.residual_shares, lambda c, p: explain.residual(c, p, "conv3_block2")):
        with pytest.raises(ValueError, match="one image at a time.*batch of 2 images"):
            ask(cache, np.stack([PHOTO, PHOTO]))
    with pytest.raises(ValueError, match="`image` be one photo"):
        explain.site(cache, np.stack([PHOTO, PHOTO]), "conv1_conv")


@mini
def test_one_photo_is_read_at_a_time(cache):
    with pytest.raises(ValueError, match="one image at a time.*batch of 2 images"):
        explain.early_reading(cache, np.stack([PHOTO, PHOTO]), [(PHOTO, "a"), (PHOTO[::-1], "b")])


def test_labelled_photos_keep_what_they_know():
    photos = explain.LabelledPhotos([(PHOTO, "a"), (PHOTO, "b")])
    assert explain.LabelledPhotos(photos) is photos
    assert photos.labels == ("a", "b")


def _by_label(pairs):
    labels = dict.fromkeys(label for _, label in pairs)
    return {label: [photo for photo, of in pairs if of == label] for label in labels}


def test_the_answer_forms_where_the_nearest_label_stays():
    readings = [explain.BlockReading("", (label, "x"), (1.0, 0.0)) for label in "abaccc"]
    assert explain.forms_at(readings) == 3
    assert explain.forms_at(readings[:1]) == 0
    assert explain.forms_at(readings[:2]) == 1


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        ({"cat": [PHOTO]}, "at least two labels"),
        ({"cat": [PHOTO], "dog": []}, "at least two labels"),
        ({"cat": [PHOTO] * 512, "dog": [PHOTO]}, "at most 512"),
        ({"cat": "cat.jpg", "dog": [PHOTO]}, r"list of photos .* \{'cat': \[photo\]\}"),
        ({"cat": [PHOTO], "dog": Path("dog.jpg")}, "list of photos"),
        ({"cat": b"GIF89a", "dog": [PHOTO]}, "list of photos"),
        ([PHOTO], "pairs"),
        (3, "pairs"),
    ],
)
def test_photos_without_labels_are_refused(photos, message):
    with pytest.raises(ValueError, match=rf"`photos` must.*{message}.*Received: "):
        explain.LabelledPhotos(photos)


@mini
def test_a_picture_grows_until_it_pleases(cache):
    grown = []
    layer, channel = "conv2_block1_out", 7
    dream = explain.visualise(
        cache, layer, channel, steps=12, seed=4, on_picture=lambda p, n: grown.append((n, p))
    )
    assert dream.picture.shape == (128, 128, 3) and dream.picture.dtype == np.uint8
    assert [n for n, _ in grown] == list(range(1, 13))
    np.testing.assert_array_equal(grown[-1][1], dream.picture)
    pleased = [
        cache.activation(p, layer)[..., channel].mean() for p in (grown[0][1], dream.picture)
    ]
    assert pleased[1] > pleased[0]
    again = explain.visualise(cache, **dream.settings)
    np.testing.assert_allclose(again.scores, dream.scores, rtol=1e-4)


def plain_picture(spectrum):
    """A picture from its spectrum: frequencies that weigh alike, colours after Ohta."""
    rows, columns = spectrum.shape[2], 2 * (spectrum.shape[3] - 1)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    weights = np.sqrt(rows * columns) / np.maximum(frequency, 1 / max(rows, columns))
    parts = spectrum * weights.astype(np.float32)
    brightness, red_blue, green = tf.unstack(tf.signal.irfft2d(tf.complex(*tf.unstack(parts))) / 4)
    brightness, red_blue, green = (
        brightness / 3**0.5,
        0.35 * red_blue / 2**0.5,
        0.2 * green / 6**0.5,
    )
    red, blue = brightness + red_blue - green, brightness - red_blue - green
    return tf.sigmoid(tf.stack([red, brightness + 2 * green, blue], axis=-1))


def first_spectrum(side, seed):
    rng = np.random.default_rng(seed)
    return 0.01 * rng.standard_normal((2, 3, side, side // 2 + 1), np.float32)


def test_a_picture_grows_as_in_a_plain_loop(cache):
    """Adam by hand, a tape, and the network as Keras runs it."""
    layer, channel, seed, steps, rate = "conv2_block1_out", 7, 4, 3, 0.05
    model = cache.model
    taken = [model.get_layer(name).output for name in (layer, "conv2_block1_add")]
    network = keras.Model(model.input, taken)
    spectrum = tf.Variable(first_spectrum(cache.input_size[0], seed))
    mean, square, scores = 0, 0, []
    for step in range(1, steps + 1):
        with tf.GradientTape() as tape:
            x = 255 * plain_picture(spectrum)[None]
            out, total = network(keras.applications.resnet.preprocess_input(x), training=False)
            score = tf.reduce_mean(out[..., channel])
            # What ReLU takes away counts a tenth, or a dead channel would stay dead.
            aim = score + 0.1 * tf.reduce_mean(tf.minimum(total[..., channel], 0))
        gradient = -tape.gradient(aim, spectrum).numpy()
        scores.append(float(score))
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        size = rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        spectrum.assign_sub(size * mean / (np.sqrt(square) + 1e-7))
    dream = explain.visualise(cache, layer, channel, steps=steps, seed=seed, robust=False)
    np.testing.assert_allclose(dream.scores, scores, rtol=1e-3)
    away = np.abs(dream.picture - 255 * np.asarray(plain_picture(spectrum)))
    # Adam makes whole steps of gradients that are nothing but rounding.
    assert np.quantile(away, 0.99) < 2 and away.mean() < 0.5


def test_a_picture_is_turned_scaled_and_moved_before_a_step(cache):
    layer, channel, seed = "conv2_block1_out", 7, 4
    side = cache.input_size[0]
    rng = np.random.default_rng(seed)
    angle, size = np.deg2rad(rng.uniform(-8, 8)), rng.uniform(0.9, 1.1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / size
    shift = rng.uniform(-1, 1, 2)[::-1] * side / 16
    middle = np.full(2, (side - 1) / 2)
    planes = np.moveaxis(np.asarray(plain_picture(first_spectrum(side, seed))), -1, 0)
    moved = [
        affine_transform(p, turn, middle + shift - turn @ middle, order=1, mode="reflect")
        for p in planes
    ]
    network = keras.Model(cache.model.input, cache.model.get_layer(layer).output)
    expected = network(model_input(255 * np.stack(moved, axis=-1)))[..., channel]
    dream = explain.visualise(cache, layer, channel, steps=1, seed=seed)
    np.testing.assert_allclose(dream.scores[0], np.asarray(expected).mean(), rtol=1e-3)


@mini
def test_a_channel_that_is_dead_at_first_comes_to_life(cache):
    layer, channel = "conv5_block3_out", 136
    dream = explain.visualise(cache, layer, channel, steps=16, seed=1)
    assert dream.scores[0] == 0
    assert dream.scores[-1] > 0


def traced_functions():
    gc.collect()
    return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())


def test_a_picture_leaves_nothing_behind():
    """What is traced holds a copy of the network; TensorFlow never lets go of some of it."""
    inputs = keras.Input((16, 16, 3))
    cache = rw.ActivationCache(keras.Model(inputs, keras.layers.Conv2D(4, 3, name="a")(inputs)))
    explain.visualise(cache, "a", 0, steps=2)
    before = traced_functions()
    for channel in (1, 2):
        explain.visualise(cache, "a", channel, steps=2)
    assert traced_functions() <= before


def test_a_preprocessing_that_has_no_gradient_is_refused():
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="a")(inputs))
    cache = rw.ActivationCache(model, preprocess=lambda x: x**2)
    with pytest.raises(ValueError, match="not affine"):
        explain.visualise(cache, "a", 0, steps=1)
