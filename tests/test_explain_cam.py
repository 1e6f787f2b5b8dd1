"""Class activation maps and attributions against plain code with `tf.GradientTape`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from explaining import both_networks, close, model_input, plain_gradient
from scipy.ndimage import zoom
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

import resnet_widgets as rw
from resnet_widgets import explain

cache, photo = both_networks()
TARGET = 3


def logits_of(model, x):
    head = model.layers[-1]
    features = keras.Model(model.inputs, head.input)(x, training=False)
    return np.asarray(features @ head.kernel + head.bias)


@pytest.mark.parametrize("layer", ["conv5_block3_out", "conv5_block2_2_relu"])
def test_cams_are_what_their_papers_say(cache, photo, layer):
    activation, gradient, logits = plain_gradient(cache.model, model_input(photo), layer, TARGET)
    close(cache.logits(photo), logits, 1e-4)

    cam = explain.grad_cam(cache, photo, layer, TARGET)
    weights = gradient.mean(axis=(0, 1))
    close(cam.weights, weights, 1e-3)
    close(cam.contributions, (weights * activation).mean(axis=(0, 1)), 1e-3)
    close(cam.map, np.maximum((weights * activation).sum(axis=2), 0), 1e-3)

    plus = explain.grad_cam(cache, photo, layer, TARGET, method="grad-cam++")
    expected = np.zeros(activation.shape[2])
    for k in range(activation.shape[2]):
        g, total = gradient[..., k].astype(float), activation[..., k].astype(float).sum()
        for value in g.ravel():
            below = 2 * value**2 + total * value**3
            if below:
                expected[k] += value**2 / below * max(value, 0)
    # A denominator near zero makes much of little differences in the gradient: few channels.
    near = np.isclose(plus.weights, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())
    assert near.mean() > 0.99

    layered = explain.grad_cam(cache, photo, layer, TARGET, method="layer-cam")
    close(layered.map, np.maximum((np.maximum(gradient, 0) * activation).sum(axis=2), 0), 1e-3)
    assert layered.alphas.shape == weights.shape


@pytest.mark.parametrize("layer", ["conv5_block3_out", "conv5_block3_3_conv"])
def test_cams_are_those_of_tf_keras_vis(cache, photo, layer):
    """Within 1e-5 of the largest cell, once both are asked the same.

    By itself tf-keras-vis answers something else: it goes back from a layer that is no convolution
    to the last one before it (`seek_penultimate_conv_layer`; from the end of a block that is the
    end of its branch, without the shortcut), takes the gradient of the probability and not of the
    logit (`ReplaceToLinear`), and stretches each map to 0…1 (`normalize_cam`).
    """
    asked = {
        "penultimate_layer": layer,
        "seek_penultimate_conv_layer": False,
        "expand_cam": False,
        "normalize_cam": False,
    }
    x = model_input(photo)

    def theirs(method):
        return np.asarray(
            method(cache.model, ReplaceToLinear())(CategoricalScore(TARGET), x, **asked)[0]
        )

    close(explain.grad_cam(cache, photo, layer, TARGET).map, theirs(Gradcam), 1e-5)
    layered = explain.grad_cam(cache, photo, layer, TARGET, method="layer-cam")
    close(layered.map, theirs(Layercam), 1e-5)

    # Their Grad-CAM++ divides the shares of a channel's cells by their sum, which is in the
    # authors' code but in no equation of the paper, and keeps the factor exp(logit).
    activation, gradient, logits = plain_gradient(cache.model, x, layer, TARGET)
    g = gradient.astype(float)
    below = 2 * g**2 + g**3 * activation.sum(axis=(0, 1))
    shares = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    total = shares.sum(axis=(0, 1))
    shares /= np.where(total == 0, 1, total)
    weights = (shares * np.maximum(g, 0)).sum(axis=(0, 1)) * np.exp(logits[TARGET])
    expected = np.maximum((weights * activation).sum(axis=2), 0)
    close(theirs(GradcamPlusPlus), expected, 1e-2)


def test_partial_sums_grow_to_the_whole_map(cache, photo):
    cam = explain.grad_cam(cache, photo, "conv5_block3_out")
    assert cam.target == cache.logits(photo).argmax()
    count = len(cam.weights)
    # The order of a float32 sum shows in its last digits: by about eps times the root of the count.
    summed = np.abs(cam.weights * cam.activation).sum(axis=2).max()
    slack = 2 * np.finfo(np.float32).eps * count**0.5 * summed
    np.testing.assert_allclose(cam.partial(count), cam.map, rtol=0, atol=slack)
    assert not cam.partial(0).any()
    first = cam.order[0]
    expected = np.maximum(cam.weights[first] * cam.activation[..., first], 0)
    np.testing.assert_allclose(cam.partial(1), expected, rtol=1e-6)
    added = [share for _, _, share in cam.ranked()]
    assert added == sorted(added, reverse=True)
    weighed = [weight for _, weight, _ in cam.ranked("weight")]
    assert weighed == sorted(cam.alphas.tolist(), reverse=True)
    with pytest.raises(ValueError, match="Received: by='size'"):
        cam.ranked("size")
    assert cam.at(300, 451).shape == (300, 451)
    assert np.abs(cam.at(*cam.map.shape) - cam.map).max() == 0


def test_gradients_begin_at_the_cached_activation(cache, photo):
    cache.activation(photo, "conv5_block3_out")
    before = cache.info()
    explain.grad_cam(cache, photo, "conv5_block3_out", TARGET)
    after = cache.info()
    assert after.surveys == before.surveys
    # The logits of the target may run the head.
    assert after.pieces <= before.pieces + 1


def test_a_cam_of_an_edited_run_knows_the_edits_after_its_layer(cache, photo):
    count = cache.graph.find("conv5_block3_out").shape[-1]
    silent = cache.run(photo, [explain.Mute("conv5_block3_out", range(count))])
    assert not explain.grad_cam(cache, silent, "conv5_block1_out", TARGET).weights.any()
    assert explain.grad_cam(cache, photo, "conv5_block1_out", TARGET).weights.any()


def test_score_cam_is_one_run_a_channel(cache, photo):
    layer, most = "conv5_block3_out", 4
    cam = explain.score_cam(cache, photo, layer, TARGET, most=most)
    activation = cache.activation(photo, layer)
    chosen = np.flatnonzero(cam.weights)
    assert len(chosen) == most
    np.testing.assert_allclose(cam.weights.sum(), 1, rtol=1e-5)
    masked = []
    for k in chosen:
        plane = activation[..., k]
        plane = (plane - plane.min()) / (plane.max() - plane.min())
        # Linear between centres of cells, the same rule in another library.
        large = tf.image.resize(plane[..., None], cache.input_size, "bilinear", antialias=True)
        masked.append(model_input(photo)[0] * np.asarray(large))
    scores = logits_of(cache.model, np.stack(masked))[:, TARGET]
    powers = np.exp(scores - scores.max())
    np.testing.assert_allclose(cam.weights[chosen], powers / powers.sum(), rtol=2e-2)


def test_score_cam_and_that_of_tf_keras_vis(cache, photo):
    """Their weights are the probabilities that the class gets among the classes.

    The paper takes the softmax over the channels (equation 8), which gives a sum of channels whose
    weights add up to 1; theirs add up to anything. They enlarge with corners on corners.
    """
    layer, most = "conv5_block3_out", 4
    activation = cache.activation(photo, layer)
    theirs = Scorecam(cache.model, ReplaceToLinear())(
        CategoricalScore(TARGET),
        model_input(photo),
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        max_N=most,
        expand_cam=False,
        normalize_cam=False,
    )[0]
    chosen = np.flatnonzero(explain.score_cam(cache, photo, layer, TARGET, most=most).weights)
    height, width = np.array(cache.input_size) / activation.shape[:2]
    planes = [zoom(activation[..., k], (height, width), order=1, mode="nearest") for k in chosen]
    masks = np.stack([(p - p.min()) / (p.max() - p.min()) for p in planes])[..., None]
    logits = cache.logits_with_masks(photo, cache.layers[0].path, masks)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights = (powers / powers.sum(axis=1, keepdims=True))[:, TARGET]
    close(theirs, np.maximum((activation[..., chosen] * weights).sum(axis=2), 0), 1e-3)


def test_saliency_and_smoothgrad(cache, photo):
    x = model_input(photo)
    source = cache.layers[0].path
    _, gradient, _ = plain_gradient(cache.model, x, source, TARGET)
    found = explain.saliency(cache, photo, TARGET)
    # Thousands of ReLUs: a few cells near zero fall on the other side in eager mode.
    near = np.isclose(found.values, gradient, rtol=0, atol=1e-2 * np.abs(gradient).max())
    assert near.mean() > 0.99
    np.testing.assert_array_equal(found.map, np.abs(found.values).max(axis=2))

    smooth = explain.smooth_grad(cache, photo, TARGET, samples=3, noise=0.1, seed=5)
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((3, *x.shape[1:]), np.float32)
    noisy = x + 0.1 * (x.max() - x.min()) * noise
    each = [plain_gradient(cache.model, one[None], source, TARGET)[1] for one in noisy]
    expected = np.mean(each, axis=0)
    near = np.isclose(smooth.values, expected, rtol=0, atol=1e-2 * np.abs(expected).max())
    assert near.mean() > 0.99
    again = explain.smooth_grad(cache, photo, TARGET, samples=3, noise=0.1, seed=5)
    np.testing.assert_array_equal(again.map, smooth.map)


def test_integrated_gradients_are_complete(cache, photo):
    said = []
    found = explain.integrated_gradients(
        cache, photo, TARGET, progress=lambda share, text: said.append((share, text))
    )
    x = model_input(photo)
    logits = logits_of(cache.model, np.concatenate([x, 0 * x]))[:, TARGET]
    difference = logits[0] - logits[1]
    assert found.gap <= 0.01
    assert abs(found.values.sum(dtype=np.float64) - difference) <= 0.011 * abs(difference)
    np.testing.assert_allclose(found.map, found.values.sum(axis=2), rtol=1e-5)
    assert said[-1][0] == 1
    assert f"of {found.steps}" in said[-1][1]


def test_integrated_gradients_of_one_step_are_the_mean_of_both_ends(cache, photo):
    found = explain.integrated_gradients(cache, photo, TARGET, steps=1, most_steps=1)
    source = cache.layers[0].path
    x = cache.activation(photo, source)
    ends = cache.gradient(photo, source, TARGET, np.stack([0 * x, x]))[1]
    close(found.values, ends.mean(axis=0) * x, 1e-5)
    assert found.steps == 2


def test_occlusion_is_the_fall_of_the_logit(cache, photo):
    side = cache.input_size[0]
    half = side // 2
    found = explain.occlusion(cache, photo, TARGET, window=half, stride=half)
    x = model_input(photo)
    for rows in (slice(0, half), slice(half, side)):
        covered = x.copy()
        covered[:, rows, :half] = 0
        scores = logits_of(cache.model, np.concatenate([x, covered]))[:, TARGET]
        close(found.map[rows, :half], np.full((half, half), scores[0] - scores[1]), 5e-3)
    assert found.steps == 4


@pytest.mark.parametrize(
    "method", ["smooth_grad", "integrated_gradients", "occlusion", "score_cam", "visualise"]
)
def test_slow_methods_end_when_told(cache, photo, method):
    calls = []

    def progress(share, text):
        calls.append(text)
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        if method == "visualise":
            explain.visualise(cache, "conv2_block1_out", 0, steps=500, progress=progress)
        elif method == "score_cam":
            explain.score_cam(cache, photo, "conv5_block3_out", 0, progress=progress)
        else:
            getattr(explain, method)(cache, photo, 0, progress=progress)
    assert len(calls) == 2


@pytest.mark.parametrize("method", ["saliency", "smooth_grad", "integrated_gradients", "occlusion"])
@pytest.mark.parametrize("target", [3, None])
def test_one_photo_is_explained_at_a_time(cache, photo, method, target):
    with pytest.raises(ValueError, match="one image at a time.*batch of 2 images"):
        getattr(explain, method)(cache, np.stack([photo, photo]), target)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, p: explain.grad_cam(c, p, "avg_pool"), "must have a map"),
        (lambda c, p: explain.grad_cam(c, p, "conv5_block3_out", 99), "`target` must be"),
        (lambda c, p: explain.grad_cam(c, p, "conv5_block3_out", "unicorn"), "`target` must be"),
        (lambda c, p: explain.grad_cam(c, p, "conv5_block3_out", 1.5), "`target` must be"),
        (lambda c, p: explain.grad_cam(c, p, "conv9", 1), "No such layer"),
        (lambda c, p: explain.grad_cam(c, p, "conv5_block3_out", method="cam"), "`method` must"),
        (lambda c, p: explain.smooth_grad(c, p, samples=0), "`samples` must be"),
        (lambda c, p: explain.occlusion(c, p, window=0), "`window` must be"),
        (lambda c, p: explain.occlusion(c, p, window=16, stride=17), "most `window`.* stride=17"),
        (lambda c, p: explain.visualise(c, "conv1_relu", 9999), "channels, 0 to"),
        (lambda c, p: explain.visualise(c, "conv1_relu", 0, steps=0), "`steps` must be"),
        (lambda c, p: c.gradient(p, "predictions", 0), "No class depends"),
    ],
)
def test_what_is_wrong_is_said(cache, photo, call, message):
    with pytest.raises(ValueError, match=message):
        call(cache, photo)


def test_a_model_without_classes_cannot_be_asked():
    inputs = keras.Input((16, 16, 3))
    cache = rw.ActivationCache(keras.Model(inputs, keras.layers.Conv2D(4, 3, name="a")(inputs)))
    with pytest.raises(ValueError, match="does not end in a classifier"):
        explain.saliency(cache, np.zeros((64, 64, 3), np.uint8))
