"""`Frame`: the byte code, the statistics, the message, and what it refuses."""

import numpy as np
import pytest

from resnet_widgets.frame import Frame


def decode(frame):
    """The planes back as numbers, by the rule in the class docstring."""
    low, high = (a.astype(np.float64)[:, None, None] for a in (frame.low, frame.high))
    values = low + frame.data / 252 * (high - low)
    values[frame.data == 253] = -np.inf
    values[frame.data == 254] = np.inf
    values[frame.data == 255] = np.nan
    return values


@pytest.fixture
def activation():
    rng = np.random.default_rng(0)
    return np.maximum(rng.normal(size=(5, 7, 12)), 0).astype(np.float32)


def test_decoded_values_are_within_half_a_step(activation):
    frame = Frame.from_activation(activation, layer="conv")
    planes = activation.transpose(2, 0, 1)
    step = (frame.high - frame.low)[:, None, None] / 252
    assert np.all(np.abs(decode(frame) - planes) <= 0.5001 * step)
    assert (frame.layer, frame.shape, frame.data.shape) == ("conv", (5, 7, 12), (12, 5, 7))


def test_statistics_are_those_of_each_channel(activation):
    frame = Frame.from_activation(activation)
    rows = activation.reshape(-1, 12).T
    np.testing.assert_array_equal(frame.low, rows.min(1))
    np.testing.assert_array_equal(frame.high, rows.max(1))
    np.testing.assert_allclose(frame.strength, rows.mean(1), rtol=1e-6)
    np.testing.assert_allclose(frame.zeros, (rows == 0).mean(1), rtol=1e-6)
    assert {a.dtype for a in (frame.low, frame.high, frame.strength, frame.zeros)} == {
        np.dtype("float32")
    }


def test_non_finite_cells_have_codes_of_their_own_and_stay_out_of_the_statistics():
    plane = np.array([[np.nan, np.inf], [-np.inf, 4.0], [0.0, 2.0]], np.float32)
    frame = Frame.from_activation(plane[:, :, None])
    np.testing.assert_array_equal(frame.data[0], [[255, 254], [253, 252], [0, 126]])
    assert (frame.low[0], frame.high[0], frame.strength[0]) == (0, 4, 2)
    assert frame.zeros[0] == pytest.approx(1 / 3)


def test_a_channel_without_a_finite_cell_has_no_statistics():
    frame = Frame.from_activation(np.full((2, 2, 1), np.nan))
    assert np.isnan([frame.low[0], frame.high[0], frame.strength[0]]).all()
    assert frame.zeros[0] == 0
    assert (frame.data == 255).all()


@pytest.mark.parametrize("value", [0.0, -3.25, 1e-40])
def test_a_constant_channel_has_no_range_and_bytes_0(value):
    frame = Frame.from_activation(np.full((2, 3, 1), value, np.float32))
    assert frame.low[0] == frame.high[0] == np.float32(value)
    assert (frame.data == 0).all()


@pytest.mark.parametrize(("low", "high"), [(-3e38, 3e38), (0, 3e-45), (1e9, 1e9 + 256)])
def test_extreme_ranges_use_all_codes(low, high):
    array = np.array([low, (low + high) / 2, high], np.float32).reshape(1, 3, 1)
    codes = Frame.from_activation(array).data.ravel()
    assert (codes[0], codes[2]) == (0, 252)
    assert 0 < codes[1] < 252


@pytest.mark.parametrize(("most", "side"), [(None, 1), (420, 1), (419, 2), (144, 2), (143, 3)])
def test_a_large_frame_holds_the_means_of_squares_and_the_statistics_of_all_cells(
    activation, most, side
):
    frame = Frame.from_activation(activation, most_bytes=most)
    assert (frame.shape, frame.reduction) == ((5, 7, 12), side)
    whole = Frame.from_activation(activation)
    for name in ("low", "high", "strength", "zeros"):
        np.testing.assert_array_equal(getattr(frame, name), getattr(whole, name))
    down, across = range(0, 5, side), range(0, 7, side)
    means = np.array(
        [[activation[y : y + side, x : x + side].mean((0, 1)) for x in across] for y in down]
    ).transpose(2, 0, 1)
    assert frame.data.shape == means.shape
    step = (frame.high - frame.low)[:, None, None] / 252
    assert np.all(np.abs(decode(frame) - means) <= 0.5001 * step)
    assert frame.to_message()[0]["reduction"] == side


def test_a_square_with_a_cell_that_is_no_number_has_no_mean_and_the_largest_have_one():
    array = np.full((2, 8, 1), 3e38, np.float32)
    array[0, 2:6, 0] = [np.nan, 1, np.inf, -np.inf]
    array[1, 6, 0] = -np.inf
    array[0, 1, 0] = -3e38
    frame = Frame.from_activation(array, most_bytes=4)
    np.testing.assert_array_equal(frame.data.ravel(), [189, 255, 255, 253])


def test_even_one_cell_a_channel_may_be_more_than_asked_for():
    assert Frame.from_activation(np.ones((3, 3, 8)), most_bytes=4).data.shape == (8, 1, 1)


def test_a_vector_has_planes_of_one_cell_and_exact_strength():
    vector = np.array([0.1, 0.0, -2.5], np.float32)
    frame = Frame.from_activation(vector)
    assert (frame.shape, frame.data.shape) == ((3,), (3, 1, 1))
    np.testing.assert_array_equal(frame.strength, vector)
    np.testing.assert_array_equal(frame.zeros, [0, 1, 0])


def test_message_is_four_rows_of_floats_then_the_planes(activation):
    frame = Frame.from_activation(activation, layer="a/b")
    header, buffer = frame.to_message()
    assert header == {"layer": "a/b", "shape": [5, 7, 12], "reduction": 1, "muted": []}
    head = np.frombuffer(buffer, "<f4", count=4 * 12).reshape(4, 12)
    np.testing.assert_array_equal(head, [frame.low, frame.high, frame.strength, frame.zeros])
    np.testing.assert_array_equal(
        np.frombuffer(buffer, np.uint8, offset=16 * 12), frame.data.ravel()
    )


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "bool"])
def test_any_real_dtype_will_do(dtype):
    frame = Frame.from_activation(np.ones((1, 2, 1)).astype(dtype))
    assert frame.low[0] == 1


def test_the_array_is_not_changed(activation):
    activation[0, 0, 0] = np.nan
    before = activation.copy()
    activation.flags.writeable = False
    Frame.from_activation(activation)
    np.testing.assert_array_equal(activation, before)


@pytest.mark.parametrize("shape", [(), (3, 3), (1, 4, 4, 2), (0, 4, 2), (4, 4, 0), (0,)])
def test_other_shapes_are_refused_with_the_shape_received(shape):
    with pytest.raises(ValueError, match=r"^Argument `array`.*Received: ") as caught:
        Frame.from_activation(np.zeros(shape))
    assert str(caught.value).endswith(str(shape))


@pytest.mark.parametrize("array", [np.zeros((2,), complex), np.array(["a"]), np.array([None])])
def test_what_is_not_a_real_number_is_refused(array):
    with pytest.raises(TypeError, match=r"real numbers\. Received: "):
        Frame.from_activation(array)


def test_repr_holds_no_arrays(activation):
    assert repr(Frame.from_activation(activation, layer="x")) == (
        "Frame(layer='x', shape=(5, 7, 12))"
    )
