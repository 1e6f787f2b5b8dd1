"""`load_image`: every kind of good and bad input, and what must come of it."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from resnet_widgets.engine import images
from resnet_widgets.engine.images import ImageError, InputImage, load_image

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def flat(value, mode: str = "RGB", size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new(mode, size, value)


# ------------------------------------------------------------------------------------- sources
class Tensor:
    """Anything with `__array__`, as tensors of every framework have."""

    def __array__(self, dtype=None, copy=None):
        return PHOTO


class Stream(io.RawIOBase):
    """What a download is: readable once, not seekable, without a name."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self.data.readinto(buffer)


SOURCES = [
    "str",
    "Path",
    "bytes",
    "bytearray",
    "memoryview",
    "file",
    "BytesIO",
    "stream",
    "PIL",
    "array",
    "batch",
    "tensor",
]


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_gives_the_same_pixels(kind, tmp_path):
    data = encoded(Image.fromarray(PHOTO))
    path = tmp_path / "a photo.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        source, name = {
            "str": (str(path), "a photo.png"),
            "Path": (path, "a photo.png"),
            "bytes": (data, "bytes"),
            "bytearray": (bytearray(data), "bytes"),
            "memoryview": (memoryview(data), "bytes"),
            "file": (file, "a photo.png"),
            "BytesIO": (io.BytesIO(data), "file object"),
            "stream": (Stream(data), "file object"),
            "PIL": (Image.fromarray(PHOTO), "PIL image"),
            "array": (PHOTO, "array 40×30"),
            "batch": (PHOTO[None], "array 40×30"),
            "tensor": (Tensor(), "array 40×30"),
        }[kind]
        image = load_image(source, (30, 40))
        assert not file.closed
    np.testing.assert_array_equal(image.original, PHOTO)
    np.testing.assert_array_equal(image.pixels, PHOTO)
    assert image.source == name
    assert image.notes == ()


def test_a_tensorflow_tensor():
    tf = pytest.importorskip("tensorflow")
    image = load_image(tf.constant(PHOTO), (30, 40))
    np.testing.assert_array_equal(image.pixels, PHOTO)
    bfloat = load_image(tf.cast(PHOTO, tf.bfloat16), (30, 40)).pixels
    np.testing.assert_array_equal(bfloat, np.asarray(tf.cast(PHOTO, tf.bfloat16), np.float32))


def test_a_tensor_that_cannot_convert_says_what_to_do():
    class OnTheGPU:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

    with pytest.raises(ImageError, match=r"OnTheGPU.*cuda.*detach.*Received"):
        load_image(OnTheGPU())


def test_a_file_object_keeps_the_name_it_was_given():
    file = io.BytesIO(encoded(flat("red")))
    file.name = "uploads/cat.png"
    assert load_image(file).source == "cat.png"


def test_a_file_object_without_a_name_of_its_own(tmp_path):
    flat("red").save(tmp_path / "cat.png")
    with open(os.open(tmp_path / "cat.png", os.O_RDONLY), "rb") as file:
        assert isinstance(file.name, int)
        assert load_image(file).source == "file object"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    flat("red").save(tmp_path / "cat.png")
    assert load_image("~/cat.png").source == "cat.png"


@pytest.mark.parametrize("kind", images.FORMATS)
def test_every_supported_format(kind):
    image = load_image(encoded(flat((200, 100, 50)), kind), (6, 8))
    assert np.abs(image.pixels.astype(int) - (200, 100, 50)).max() <= 8  # GIF and JPEG lose a bit


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "PDF", "EPS"])
def test_other_formats_of_pillow_are_not_opened(kind):
    data = encoded(flat("red", size=(32, 32)), kind)
    with pytest.raises(ImageError, match="not recognised.*Supported formats: JPEG, PNG"):
        load_image(data)


# ------------------------------------------------------------------------------ bytes that fail
def _bit_flipped_png() -> bytes:
    data = bytearray(encoded(Image.fromarray(PHOTO)))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


BAD_FILES = {
    "empty": b"",
    "text": b"hello, this is no picture",
    "html": b"<!doctype html><title>404</title>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "truncated png": encoded(Image.fromarray(PHOTO))[:1000],
    "truncated jpeg": encoded(Image.fromarray(PHOTO), "JPEG")[:700],
    "truncated gif": encoded(Image.fromarray(PHOTO), "GIF")[:900],
    "truncated bmp": encoded(Image.fromarray(PHOTO), "BMP")[:900],
    "truncated webp": encoded(Image.fromarray(PHOTO), "WEBP", lossless=True)[:900],
    "truncated tiff": encoded(Image.fromarray(PHOTO), "TIFF")[:900],
    "bit-flipped png": _bit_flipped_png(),
    "header only": png_header(10, 10),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_are_named_with_the_formats_that_work(kind, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(BAD_FILES[kind])
    with pytest.raises(ImageError) as info:
        load_image(path)
    assert "Received: 'holiday.jpg'" in str(info.value)
    assert "JPEG, PNG, WEBP, GIF, BMP, TIFF" in str(info.value)
    assert "BytesIO" not in str(info.value)


def test_a_bit_flipped_jpeg_that_decodes_is_accepted():
    data = bytearray(encoded(Image.fromarray(PHOTO), "JPEG"))
    data[-100] ^= 0x01
    assert load_image(bytes(data)).pixels.shape == (224, 224, 3)


@pytest.mark.parametrize("size", [(8000, 8000), (20000, 20000)], ids=["64 Mpx", "400 Mpx"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_size_is_checked_before_decoding(size):
    # There are no pixels in this file: decoding it would be another error.
    with pytest.raises(ImageError, match="at most 50 million pixels"):
        load_image(png_header(*size))


def test_size_is_checked_when_bomb_warnings_are_errors():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="at most 50 million pixels"):
            load_image(png_header(10000, 10000))


def test_an_animated_webp_may_be_smaller_only():
    """Of 150 bytes the decoder would make a gigabyte."""

    def animation(width, height):
        frames = [Image.new("RGB", (width, height), colour) for colour in ("red", "blue")]
        return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)

    assert load_image(animation(4000, 3000)).original.shape == (3000, 4000, 3)
    with pytest.raises(ImageError, match="at most 12 million .* Received: 'bytes', 4000×3001 px"):
        load_image(animation(4000, 3001))


def test_size_of_objects_in_memory_is_checked_too():
    huge = np.broadcast_to(np.uint8(0), (10_000, 10_000))
    with pytest.raises(ImageError, match="at most 50 million pixels"):
        load_image(huge)
    with pytest.raises(ImageError, match="at most 50 million pixels"):
        load_image(flat(0, "1", (10_000, 10_000)))
    with pytest.raises(ImageError, match="no pixels"):
        load_image(flat(0, "L", (0, 5)))


# ---------------------------------------------------------------------------- paths that fail
def test_a_missing_file_is_named_as_it_came_with_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as info:
        load_image("photos/cat.jpg")
    assert "'photos/cat.jpg'" in str(info.value)
    assert str(tmp_path) in str(info.value)
    assert info.value.filename == "photos/cat.jpg"


@pytest.mark.parametrize("path", ["", "x" * 100_000], ids=["empty", "endless"])
def test_text_that_cannot_be_a_file(path):
    with pytest.raises(FileNotFoundError) as info:
        load_image(path)
    assert len(str(info.value)) < 1000


def test_a_null_byte_in_a_path():
    with pytest.raises(ImageError, match="no usable path"):
        load_image("cat\0.jpg")


def test_a_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        load_image(tmp_path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/cat.jpg", "HTTPS://example.org/cat.jpg", "data:image/png;base64,iVB"]
)
def test_nothing_is_loaded_from_the_web(url):
    with pytest.raises(ImageError, match="not loaded from the web.*Received"):
        load_image(url)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.png", "caf.png"),  # no UTF-8: Python makes half a letter of it
        ("two\nlines\t\x1b[31m.png", "twolines[31m.png"),
        ("\u202egnp.png", "gnp.png"),
        ("\x01", "picture"),
        ("猫 🐈.png", "猫 🐈.png"),
    ],
)
def test_names_lose_what_cannot_be_printed(name, shown, tmp_path):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(encoded(flat((1, 2, 3))))
    assert load_image(path).source == shown


@pytest.mark.parametrize("source", [None, 3, [[1, 2], [3, 4]], {"a": 1}, object()])
def test_other_objects(source):
    with pytest.raises(ImageError, match=r"`source` should be a path.*of type"):
        load_image(source)


def test_a_file_in_text_mode():
    with pytest.raises(ImageError, match="binary mode"):
        load_image(io.StringIO("text"))


# ---------------------------------------------------------------------------- modes and depths
def _palette_with_transparency() -> Image.Image:
    image = Image.new("P", (8, 6), 0)
    image.putpalette([255, 0, 255, 0, 0, 255])  # the hidden colour is magenta
    image.putpixel((7, 5), 1)
    image.info["transparency"] = 0
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_shows_white_and_no_hidden_colour(kind):
    image = load_image(encoded(_palette_with_transparency(), kind, transparency=0), (6, 8))
    assert image.pixels[0, 0].tolist() == [255, 255, 255]
    assert image.pixels[5, 7].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 255, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (0, 100, 255, 51), (204, 224, 255)),
        ("RGBA", (10, 10, 10, 100), (159, 159, 159)),  # 158.9
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (100, 255), (100, 100, 100)),
        ("PA", (0, 0), (255, 255, 255)),
        ("RGBa", (0, 0, 0, 0), (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("YCbCr", (128, 128, 128), (128, 128, 128)),
        ("I;16", 32896, (128, 128, 128)),
        ("I;16", 65535, (255, 255, 255)),
        ("I", 200, (200, 200, 200)),
        ("I", 32896, (128, 128, 128)),
        ("F", 0.5, (128, 128, 128)),
        ("F", 200.0, (200, 200, 200)),
    ],
)
def test_every_mode_becomes_rgb(mode, colour, expected):
    image = load_image(flat(colour, mode), (6, 8))
    assert image.pixels.shape == (6, 8, 3)
    assert np.unique(image.pixels.reshape(-1, 3), axis=0).tolist() == [list(expected)]


@pytest.mark.parametrize("value", [-5, 70_000])
def test_mode_i_out_of_range(value):
    with pytest.raises(ImageError, match="0…65535"):
        load_image(flat(value, "I"))


def test_16_bit_png_keeps_its_contrast():
    steep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    image = load_image(encoded(Image.fromarray(steep)), (16, 16))
    np.testing.assert_array_equal(image.pixels[..., 0].ravel(), np.arange(256))


def test_16_bit_png_with_transparency_does_not_fail():
    data = encoded(Image.fromarray(np.full((6, 8), 257, np.uint16)), transparency=5)
    assert np.unique(load_image(data).pixels).tolist() == [1]


def test_cmyk_jpeg():
    data = encoded(flat((0, 255, 255, 0), "CMYK", (16, 16)), "JPEG")
    red, green, blue = load_image(data).pixels[0, 0].astype(int)
    assert red > 240
    assert max(green, blue) < 15


def test_a_mode_that_pillow_cannot_convert_is_an_image_error():
    with pytest.raises(ImageError, match="could not be read as an image"):
        load_image(flat((0, 0), "La"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation, kind):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner, top left
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(np.ascontiguousarray(turned)), kind, exif=exif, **options)
    original = load_image(data).original
    assert original.shape == (16, 32, 3)
    assert np.abs(original.astype(int) - upright).max() < 30


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\xff"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_cost_the_picture(exif):
    data = encoded(flat((9, 9, 9), size=(16, 16)), "JPEG", exif=exif)
    assert load_image(data).pixels.max() < 20


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation(kind):
    frames = [flat(colour, size=(16, 16)) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    image = load_image(data)
    assert image.pixels[0, 0].tolist() == [255, 0, 0]
    assert image.notes == ("only the first of several frames",)


def test_the_frame_that_a_callers_animation_stands_at():
    frames = [flat(colour, size=(16, 16)) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as animation:
        animation.seek(2)
        image = load_image(animation)
        assert animation.tell() == 2
    assert image.pixels[0, 0].tolist() == [0, 0, 255]
    assert image.notes == ("only frame 3 of several frames",)


def test_large_jpegs_are_decoded_small():
    image = load_image(encoded(flat((200, 100, 50), size=(4200, 4100)), "JPEG"))
    assert image.original.shape == (2050, 2100, 3)
    assert image.notes == ("decoded at 2100×2050 of 4200×4100 px",)
    assert image.box == (25, 0, 2075, 2050)


# -------------------------------------------------------------------------------------- arrays
@pytest.mark.parametrize(
    ("array", "expected", "note"),
    [
        (np.full((4, 4), 7, np.uint8), 7, ""),
        (np.full((4, 4), 1, np.uint8), 1, ""),
        (np.full((4, 4), True), 255, ""),
        (np.full((4, 4), False), 0, ""),
        (np.full((4, 4), 255, np.int64), 255, ""),
        (np.full((4, 4), 100, np.int8), 100, ""),
        (np.full((4, 4), 200, np.int16), 200, ""),
        (np.full((4, 4), 257, np.uint16), 1, ""),
        (np.full((4, 4), 200, np.uint16), 1, ""),
        (np.full((4, 4), 65535, np.uint16), 255, ""),
        (np.full((4, 4), 65535, np.int32), 255, "integers up to 65535 taken as 16-bit"),
        (np.full((4, 4), 0.2), 51, "floats 0…1, multiplied by 255"),
        (np.full((4, 4), 1.0, np.float16), 255, "floats 0…1, multiplied by 255"),
        (np.full((4, 4), 1.0000001), 255, "floats 0…1, multiplied by 255"),
        (np.full((4, 4), -1e-9), 0, "floats 0…1, multiplied by 255"),
        (np.zeros((4, 4)), 0, "floats 0…1, multiplied by 255"),
        (np.full((4, 4), 1.6), 2, "floats up to 1.6 taken as 0…255, nearly black"),
        (np.full((4, 4), 99.6, np.float32), 100, ""),
        (np.full((4, 4), 255.0001), 255, ""),
        (np.full((4, 4, 1), 9, np.uint8), 9, ""),
        (np.full((1, 4, 4, 1), 9, np.uint8), 9, ""),
        (np.full((4, 4), 9, ">u2") * 257, 9, ""),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else None,
)
def test_values_of_every_dtype(array, expected, note):
    image = load_image(array, (4, 4))
    assert np.unique(image.pixels).tolist() == [expected]
    assert image.notes == ((note,) if note else ())


def test_an_array_with_alpha_is_put_on_white():
    array = np.zeros((4, 4, 4))
    array[:2, ..., 3] = 1.0
    pixels = load_image(array, (4, 4)).pixels
    assert np.unique(pixels[:2]).tolist() == [0]
    assert np.unique(pixels[2:]).tolist() == [255]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 20, 30)), "Channels seem to come first: pass np.moveaxis"),
        (np.zeros((1, 20, 30)), "Channels seem to come first"),
        (np.zeros((1, 3, 20, 30)), "Channels seem to come first"),
        (np.zeros((5, 20, 30, 3)), r"batch of 5 pictures.*images\[0\]"),
        (np.zeros((20, 30, 2)), r"shape \(H, W\).*Received: shape \(20, 30, 2\)"),
        (np.zeros((20, 30, 7)), r"Received: shape \(20, 30, 7\)"),
        (np.zeros(20), r"Received: shape \(20,\)"),
        (np.float32(3), r"Received: shape \(\)"),
        (np.zeros((1, 1, 4, 4, 3)), r"Received: shape \(1, 1, 4, 4, 3\)"),
        (np.zeros((0, 20, 3)), "is empty"),
        (np.zeros((20, 0, 3)), "is empty"),
        (np.zeros((0, 20, 20, 3)), "is empty"),
        (np.full((4, 4), -0.5), r"already preprocessed.*preprocess=False.*-0.5"),
        (np.full((4, 4), 300.0), "0…1 or 0…255.*300"),
        (np.full((4, 4), -1), "Integers should be 0…255"),
        (np.full((4, 4), 70_000), "Integers should be 0…255.*70000"),
        (np.zeros((4, 4), complex), "dtype complex128"),
        (np.full((4, 4), None), "dtype object"),
        (np.full((4, 4), "a"), "dtype <U1"),
        (np.zeros((4, 4), "datetime64[s]"), "dtype datetime64"),
        (np.zeros((4, 4), [("a", "f4")]), "should hold bool, integer or float"),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if hasattr(value, "dtype") else None,
)
def test_arrays_that_are_no_picture(array, message):
    with pytest.raises(ImageError, match=message) as info:
        load_image(array)
    assert "Received: " in str(info.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_located(bad):
    array = np.zeros((6, 5, 3), np.float32)
    array[2, 3, 1] = array[4, 0, 0] = bad
    with pytest.raises(ImageError, match=r"2 NaN or infinite values, the first at \(2, 3, 1\)"):
        load_image(array)


def test_an_array_of_three_rows_is_no_channels_first():
    assert load_image(np.zeros((3, 20, 3), np.uint8)).original.shape == (3, 20, 3)


# ---------------------------------------------------------------------------- crop and resizing
@pytest.mark.parametrize(
    ("shape", "size", "box"),
    [
        ((300, 451), (224, 224), (75, 0, 375, 300)),
        ((451, 300), (224, 224), (0, 75, 300, 375)),
        ((100, 100), (224, 224), (0, 0, 100, 100)),
        ((300, 400), (100, 200), (0, 50, 400, 250)),
        ((300, 400), (200, 100), (125, 0, 275, 300)),
        ((1, 60_000), (224, 224), (29_999, 0, 30_000, 1)),
        ((60_000, 1), (224, 224), (0, 29_999, 1, 30_000)),
        ((5, 5), (1, 1000), (0, 2, 5, 3)),
    ],
)
def test_the_box_is_the_largest_centred_part_of_the_right_shape(shape, size, box):
    image = load_image(np.zeros((*shape, 3), np.uint8), size)
    assert image.box == box
    assert image.pixels.shape == (*size, 3)
    assert image.array.shape == (1, *size, 3)


def test_a_row_may_be_longer_than_a_strip():
    """Pictures are converted in strips of a million pixels."""
    row = np.arange(1_100_000) % 251
    grey = np.stack([row, 250 - row]).astype(np.uint16) * 257
    assert np.array_equal(load_image(grey).original[..., 1], grey // 257)
    assert np.array_equal(load_image(Image.fromarray(grey)).original[..., 2], grey // 257)


def test_pixels_are_exactly_the_box_resized():
    image = load_image(PHOTO, (16, 16))
    left, top, right, bottom = image.box
    part = Image.fromarray(PHOTO[top:bottom, left:right])
    np.testing.assert_array_equal(image.pixels, part.resize((16, 16), Image.Resampling.BICUBIC))


def test_shrinking_is_antialiased():
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    # Picking single pixels would give all black or all white.
    assert np.abs(load_image(stripes, (32, 32)).pixels.astype(int) - 127).max() <= 5


def test_fit_cuts_again_from_the_same_original():
    image = load_image(np.full((30, 40), 0.5))
    small = image.fit((8, 16))
    assert small.original is image.original
    assert small.box == (0, 5, 40, 25)
    assert small.pixels.shape == (8, 16, 3)
    assert small.notes == image.notes != ()
    assert image.fit((224, 224)) is image
    assert load_image(image) is image
    assert load_image(image, (8, 16)).box == small.box


@pytest.mark.parametrize("size", [(0, 5), (5,), (5, -1), (5.0, 5), "ab", 224, (100_000, 100_000)])
def test_size_is_checked(size):
    with pytest.raises(ValueError, match=r"`size` should be \(height.* 50 million.*Received"):
        load_image(PHOTO, size)
    with pytest.raises(ValueError, match="`size` should be"):
        load_image(PHOTO).fit(size)


# ------------------------------------------------------------------------------------ promises
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 3), (12, 10, 4), (1, 12, 10, 3)])
def test_the_callers_array_is_untouched_and_not_shared(dtype, shape):
    array = RNG.integers(0, 2, shape).astype(dtype)
    before = array.copy()
    image = load_image(array)
    np.testing.assert_array_equal(array, before)
    assert array.flags.writeable
    for ours in (image.original, image.pixels, image.array):
        assert not np.shares_memory(ours, array)
    array.setflags(write=False)
    np.testing.assert_array_equal(load_image(array).pixels, image.pixels)


def test_the_callers_pil_image_is_untouched():
    picture = flat((1, 2, 3, 128), "RGBA", (20, 10))
    before = picture.tobytes()
    load_image(picture)
    assert (picture.mode, picture.size, picture.tobytes()) == ("RGBA", (20, 10), before)


def test_results_are_read_only():
    image = load_image(PHOTO)
    for ours in (image.original, image.pixels, image.array, image.fit((9, 9)).pixels):
        with pytest.raises(ValueError, match="read-only"):
            ours[...] = 0
    with pytest.raises(AttributeError):
        image.source = "other"


def test_array_is_what_the_model_sees():
    image = load_image(PHOTO)
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array[0], image.pixels)
    assert image.array is image.array


def test_digest_tells_pictures_apart_and_nothing_else():
    image = load_image(PHOTO, (20, 10))
    assert image.digest == load_image(PHOTO.copy(), (20, 10)).digest
    assert image.digest == load_image(encoded(Image.fromarray(PHOTO)), (20, 10)).digest
    assert image.digest != load_image(255 - PHOTO, (20, 10)).digest
    blank = [load_image(np.zeros((4, 4), np.uint8), size).digest for size in ((2, 8), (4, 4))]
    assert blank[0] != blank[1]


def test_repr_is_short_and_says_what_it_is():
    text = repr(load_image(np.zeros((300, 451), np.uint8)))
    assert text == "<InputImage 'array 451×300': 451×300 px, box (75, 0, 375, 300) seen as 224×224>"


def test_a_real_photo(photo_path):
    image = load_image(photo_path)
    assert isinstance(image, InputImage)
    assert (image.source, image.original.shape) == ("chelsea.png", (300, 451, 3))
    assert image.box == (75, 0, 375, 300)
