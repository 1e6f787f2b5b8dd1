"""`load_image` on what nobody wrote down: arrays of any kind, and damaged files."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from resnet_widgets.engine import images
from resnet_widgets.engine.images import ImageError, load_image

TOOL = Path(__file__).parents[1] / "tools" / "fuzz_images.py"
DTYPES = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(),
    npst.unicode_string_dtypes(max_len=3),
    npst.datetime64_dtypes(),
)
SHAPES = st.one_of(
    npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 3, 4))),
)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@pytest.fixture(scope="module")
def fuzzer():
    spec = importlib.util.spec_from_file_location("fuzz_images", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=300, deadline=None)
@given(npst.arrays(DTYPES, SHAPES), SIZES)
def test_any_array_is_a_picture_or_an_error_of_ours(array, size):
    before = array.copy()
    try:
        image = load_image(array, size)
    except ImageError as error:
        assert "Received: " in str(error)
        return
    finally:
        assert array.tobytes() == before.tobytes()
    assert image.pixels.shape == (*size, 3)
    assert image.original.shape[:2] == array.shape[array.ndim == 4 :][:2]
    left, top, right, bottom = image.box
    assert 0 <= left < right <= image.original.shape[1]
    assert 0 <= top < bottom <= image.original.shape[0]


@settings(max_examples=100, deadline=None)
@given(npst.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(4))), SIZES)
def test_the_same_picture_as_file_and_as_array(array, size):
    """Pillow's way in and NumPy's way in agree on alpha, crop and size, in strips of any height."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    whole = load_image(array, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "_STRIP_PIXELS", 50)
        stripped = load_image(file.getvalue(), size)
    np.testing.assert_array_equal(stripped.original, whole.original)
    np.testing.assert_array_equal(stripped.pixels, whole.pixels)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_strips_change_nothing(dtype, monkeypatch):
    array = (np.random.default_rng(1).random((40, 30, 3)) * 255).astype(dtype)
    whole = load_image(array)
    monkeypatch.setattr(images, "_STRIP_PIXELS", 60)
    np.testing.assert_array_equal(load_image(array).original, whole.original)
    if array.dtype.kind == "f":
        array[33, 7, 2] = np.nan
        with pytest.raises(ImageError, match=r"1 NaN .* at \(33, 7, 2\)"):
            load_image(array)


def test_numbers_beyond_float32_are_refused_without_a_warning():
    with pytest.raises(ImageError, match="1 NaN or infinite values"):
        load_image(np.array([[1e300, 0.0]]))


@pytest.mark.parametrize("first", range(0, 600, 100))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_end_as_pictures_or_errors_of_ours(fuzzer, first):
    """The beginning of what `tools/fuzz_images.py` does a hundred thousand times."""
    came = {n: fuzzer.outcome(fuzzer.damaged(n)[1]) for n in range(first, first + 100)}
    assert {n: what for n, what in came.items() if what not in ("picture", "refused")} == {}
    assert {"picture", "refused"} <= set(came.values())


def test_the_fuzzer_sees_what_is_not_ours(fuzzer, monkeypatch):
    for raised, reported in (
        (KeyError("x"), "KeyError: 'x'"),
        (ImageError("why"), "no Received in why"),
    ):

        def fail(data, raised=raised):
            raise raised

        monkeypatch.setattr(fuzzer, "load_image", fail)
        assert fuzzer.outcome(b"") == reported


GROWTH = """
import io, os, sys
import numpy as np
from PIL import Image
from resnet_widgets.engine.images import load_image

file = io.BytesIO()
Image.new(sys.argv[1], (4000, 3000)).save(file, "PNG", compress_level=1)
load_image(np.zeros((9, 9)))

def kilobytes(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key))

with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")  # the peak begins anew
before = kilobytes("VmRSS")
load_image(file)
print((kilobytes("VmHWM") - before) * 1024 / 12e6)
"""


@pytest.mark.parametrize("mode", ["RGB", "LA"])
def test_a_large_picture_costs_little_more_than_itself(mode):
    """12 million pixels, 200 kB as a file: four bytes a pixel in Pillow, three of ours."""
    assert sys.platform == "linux", "this test reads /proc/self: run it on Linux"
    run = [sys.executable, "-c", GROWTH, mode]
    bytes_a_pixel = float(subprocess.run(run, capture_output=True, check=True, text=True).stdout)
    assert bytes_a_pixel < 12
