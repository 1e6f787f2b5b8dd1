"""Which channels fire in a region, against sums written out cell by cell."""

import numpy as np
import pytest

from resnet_widgets.engine.regions import region_channels, region_scores

RNG = np.random.default_rng(3)


def by_hand(plane, region):
    """The score of one channel, one cell after the other."""
    height, width = plane.shape
    x0, y0, x1, y1 = region
    inside = outside = inside_weight = outside_weight = 0.0
    for i in range(height):
        for j in range(width):
            rows = max(0, min((i + 1) / height, y1) - max(i / height, y0)) * height
            columns = max(0, min((j + 1) / width, x1) - max(j / width, x0)) * width
            weight, value = rows * columns, float(plane[i, j])
            inside, inside_weight = inside + weight * value, inside_weight + weight
            outside, outside_weight = outside + (1 - weight) * value, outside_weight + 1 - weight
    return (inside / inside_weight - outside / outside_weight) / plane.astype(float).std()


@pytest.mark.parametrize(
    "region", [[0, 0, 0.5, 0.5], [0.25, 0.5, 1, 0.75], [0.1, 0.33, 0.12, 0.4], [0, 0, 0.99, 1]]
)
def test_scores_are_those_of_the_formula(region):
    activation = RNG.normal(size=(6, 8, 5)).astype(np.float32)
    expected = [by_hand(activation[:, :, c], region) for c in range(5)]
    np.testing.assert_allclose(region_scores(activation, region), expected, rtol=1e-9)


def test_the_ranking_is_that_of_the_correlation_with_the_region():
    activation = RNG.normal(size=(8, 8, 30)).astype(np.float32)
    mask = np.zeros((8, 8))
    mask[2:5, 1:7] = 1
    correlations = [np.corrcoef(mask.ravel(), activation[:, :, c].ravel())[0, 1] for c in range(30)]
    found = [
        channel for channel, _ in region_channels(activation, [1 / 8, 2 / 8, 7 / 8, 5 / 8], 30)
    ]
    assert found == list(np.argsort(correlations)[::-1])


def test_size_of_the_numbers_does_not_matter():
    activation = RNG.random((4, 4, 3), np.float32)
    scaled = activation * [1, 1e6, 1e-6] + [0, 5, 0]
    region = [0.2, 0.2, 0.8, 0.6]
    np.testing.assert_allclose(
        region_scores(scaled, region), region_scores(activation, region), rtol=1e-5
    )


def test_the_best_come_first_and_no_more_than_asked_for():
    activation = np.zeros((4, 4, 4), np.float32)
    activation[:2, :2, 2] = 1  # the region
    activation[:2, :, 1] = 1  # the region and as much beside it
    activation[2:, 2:, 3] = 1  # elsewhere
    region = [0, 0, 0.5, 0.5]
    ranking = region_channels(activation, region, 4)
    assert [channel for channel, _ in ranking] == [2, 1, 0, 3]
    assert ranking[2] == (0, 0.0)  # constant
    assert ranking[3][1] < 0
    assert region_channels(activation, region, 2) == ranking[:2]
    assert region_channels(activation, region, -1) == []


def test_a_constant_channel_has_no_score_by_rounding():
    activation = np.full((7, 7, 2), 0.1, np.float32)
    activation[0, 0, 1] = 1
    assert region_scores(activation, [0, 0, 0.3, 0.3])[0] == 0


def test_channels_that_are_not_finite_are_left_out():
    activation = RNG.random((4, 4, 3), np.float32)
    activation[0, 0, 0], activation[3, 3, 1] = np.nan, np.inf
    scores = region_scores(activation, [0, 0, 0.5, 0.5])
    assert np.isfinite(scores).tolist() == [False, False, True]
    assert [channel for channel, _ in region_channels(activation, [0, 0, 0.5, 0.5])] == [2]


@pytest.mark.parametrize(
    "region", [[], [0, 0, 1], [0.5, 0, 0.5, 1], [-0.1, 0, 1, 0.5], [0, 0, 1, np.nan], "abcd", None]
)
def test_what_is_no_region_is_named(region):
    with pytest.raises(ValueError, match=r"`region` must be .* Received: "):
        region_scores(np.ones((2, 2, 1)), region)


def test_the_whole_picture_has_no_rest():
    with pytest.raises(ValueError, match=r"whole picture.*Choose a part"):
        region_scores(np.ones((2, 2, 1)), [0, 0, 1, 1])


def test_a_vector_has_no_places():
    with pytest.raises(ValueError, match=r"\(H, W, C\).*Received: array of shape \(10,\)"):
        region_scores(np.ones(10), [0, 0, 0.5, 0.5])


def test_nothing_is_changed():
    activation = RNG.random((3, 3, 2), np.float32)
    activation.flags.writeable = False
    before = activation.copy()
    region_scores(activation, [0, 0, 0.5, 0.5])
    np.testing.assert_array_equal(activation, before)
