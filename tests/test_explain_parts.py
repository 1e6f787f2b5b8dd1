"""Residual blocks, sites, channels, early reading and feature visualisation, against numpy."""

from pathlib import Path

import keras
import numpy as np
import pytest

import resnet_widgets as rw
from resnet_widgets import explain

PHOTO = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cache():
    cache = rw.ActivationCache("mini")
    yield cache
    cache.close()


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


@pytest.mark.parametrize("block", ["conv2_block1", "conv5_block2"])
def test_energies_of_a_block(cache, block):
    found = explain.residual(cache, PHOTO, block)
    s, b, total = (
        cache.activation(PHOTO, p).astype(float) for p in (found.shortcut, found.branch, found.add)
    )
    np.testing.assert_allclose(s + b, total, atol=1e-4)
    np.testing.assert_allclose(found.shortcut_energy, (s**2).sum(axis=(0, 1)))
    np.testing.assert_allclose(found.branch_energy, (b**2).sum(axis=(0, 1)))
    np.testing.assert_allclose(found.sum_energy, (total**2).sum(axis=(0, 1)))
    out = cache.activation(PHOTO, found.out).astype(float)
    kept = found.sum_energy - found.cut_energy
    np.testing.assert_allclose(kept, (out**2).sum(axis=(0, 1)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.cut_share, (total < 0).mean(axis=(0, 1)))
    share = (b**2).sum() / ((b**2).sum() + (s**2).sum())
    np.testing.assert_allclose(found.branch_share, share)
    assert found.channel_shares.shape == (total.shape[2],)
    cosine = (s * b).sum() / np.sqrt((s**2).sum() * (b**2).sum())
    np.testing.assert_allclose(found.agreement, cosine, atol=1e-4)


def test_all_blocks_at_once_and_from_within(cache):
    shares = explain.residual_shares(cache, PHOTO)
    assert [r.block for r in shares] == list(explain.blocks_of(cache.graph))
    one = explain.residual(cache, PHOTO, "conv4_block3_2_relu")
    assert one.block == "conv4_block3"
    assert one.branch_share == shares[9].branch_share


def test_a_site(cache):
    for layer in ("conv3_block2_1_conv", "conv3_block2_1_bn", "conv3_block2_1_relu"):
        found = explain.site(cache, PHOTO, layer)
        assert (found.conv, found.bn, found.relu) == (
            "conv3_block2_1_conv",
            "conv3_block2_1_bn",
            "conv3_block2_1_relu",
        )
    conv, bn = (cache.activation(PHOTO, path) for path in (found.conv, found.bn))
    np.testing.assert_allclose(found.gain * conv + found.offset, bn, atol=1e-4)
    norm = cache.model.get_layer(found.bn)
    by_hand = (conv - found.mean) / np.sqrt(found.variance + norm.epsilon)
    np.testing.assert_allclose(found.scale * by_hand + found.shift, bn, atol=1e-4)
    np.testing.assert_allclose(found.cut, (bn < 0).mean(axis=(0, 1)))
    # The last convolution of a block has no ReLU of its own.
    last = explain.site(cache, PHOTO, "conv3_block2_3_conv")
    assert (last.bn, last.relu, last.cut) == ("conv3_block2_3_bn", "", None)


@pytest.mark.parametrize("cell", [None, (0, 0), (3, 7)])
@pytest.mark.parametrize(
    "layer", ["conv3_block2_1_conv", "conv3_block1_1_bn", "conv3_block2_2_relu", "conv1_conv"]
)
def test_inputs_and_bias_sum_up_to_the_value(cache, layer, cell):
    found = explain.inputs_of(cache, PHOTO, layer, 5, cell=cell)
    plane = cache.activation(PHOTO, found.conv)[..., 5].astype(float)
    value = plane.mean() if cell is None else plane[cell]
    np.testing.assert_allclose(found.value, value, rtol=1e-5)
    total = found.shares.sum(dtype=np.float64) + found.bias
    np.testing.assert_allclose(total, value, atol=1e-4 * (np.abs(found.shares).sum() + 1))
    ranked = [abs(share) for _, share in found.ranked()]
    assert ranked == sorted(ranked, reverse=True)


def test_shares_of_a_1x1_convolution_are_weight_times_activation(cache):
    found = explain.inputs_of(cache, PHOTO, "conv3_block2_3_conv", 9, cell=(2, 4))
    kernel = np.array(cache.model.get_layer("conv3_block2_3_conv").kernel)
    x = cache.activation(PHOTO, "conv3_block2_2_relu")
    np.testing.assert_allclose(found.shares, kernel[0, 0, :, 9] * x[2, 4], rtol=1e-6)
    strided = explain.inputs_of(cache, PHOTO, "conv3_block1_0_conv", 2, cell=(3, 5))
    kernel = np.array(cache.model.get_layer("conv3_block1_0_conv").kernel)
    x = cache.activation(PHOTO, "conv2_block3_out")
    np.testing.assert_allclose(strided.shares, kernel[0, 0, :, 2] * x[6, 10], rtol=1e-6)


def test_kernels(cache):
    kernel = np.array(cache.model.get_layer("conv1_conv").kernel)
    np.testing.assert_array_equal(explain.kernels_of(cache, "conv1_relu", 4), kernel[..., 4])


def photos_of(colour, count, seed):
    rng = np.random.default_rng(seed)
    return [
        np.clip(rng.normal(colour, 30, (128, 128, 3)), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


def test_early_reading_finds_the_nearest_class_mean(cache):
    red, blue = photos_of((200, 60, 60), 3, 1), photos_of((60, 60, 200), 3, 2)
    pairs = [(p, "red") for p in red] + [(p, "blue") for p in blue]
    readings = explain.early_reading(cache, red[0], pairs)
    assert len(readings) == 17
    assert readings[0].labels[0] == "red"
    # The photo itself is left out of the means.
    layer = readings[3].layer
    pool = lambda p: cache.activation(p, layer).mean(axis=(0, 1), dtype=float)  # noqa: E731
    means = [np.mean([pool(p) for p in some], axis=0) for some in (red[1:], blue)]
    middle = np.mean(means, axis=0)
    mine = pool(red[0]) - middle
    cosines = [
        mine @ (m - middle) / np.linalg.norm(mine) / np.linalg.norm(m - middle) for m in means
    ]
    near = dict(zip(readings[3].labels, readings[3].similarities, strict=True))
    np.testing.assert_allclose([near["red"], near["blue"]], cosines, atol=1e-6)


def test_early_reading_needs_two_labels(cache):
    with pytest.raises(ValueError, match="at least two labels"):
        explain.early_reading(cache, PHOTO, [(PHOTO, "a"), (photos_of(90, 1, 3)[0], "b")])


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


def test_blocks_are_taken_apart_for_one_photo(cache):
    for ask in (explain.residual_shares, lambda c, p: explain.residual(c, p, "conv3_block2")):
        with pytest.raises(ValueError, match="one image at a time.*batch of 2 images"):
            ask(cache, np.stack([PHOTO, PHOTO]))


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


def test_the_answer_forms_where_the_nearest_label_stays(cache):
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
    # Without moving it, what is maximised is the mean of the channel itself.
    still = explain.visualise(cache, layer, channel, steps=2, robust=False, on_picture=None)
    first = explain.visualise(cache, layer, channel, steps=1, robust=False)
    np.testing.assert_allclose(
        still.scores[1], cache.activation(first.picture, layer)[..., channel].mean(), rtol=0.05
    )


def test_a_channel_that_is_dead_at_first_comes_to_life(cache):
    layer, channel = "conv5_block3_out", 136
    dream = explain.visualise(cache, layer, channel, steps=16, seed=1)
    assert dream.scores[0] == 0
    assert dream.scores[-1] > 0


def test_a_preprocessing_that_has_no_gradient_is_refused():
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="a")(inputs))
    cache = rw.ActivationCache(model, preprocess=lambda x: x**2)
    with pytest.raises(ValueError, match="not affine"):
        explain.visualise(cache, "a", 0, steps=1)
