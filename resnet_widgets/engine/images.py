"""`load_image`: whatever a person has, as the pixels that a model sees."""

from __future__ import annotations

import errno
import hashlib
import io
import operator
import os
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
# The decoder of WebP draws on canvases of its own, 20 bytes a pixel in all, and a few bytes of file
# are enough to ask for them. Animations are never this large; they are films then.
MAX_ANIMATED_PIXELS = 12_000_000
# JPEGs whose two sides are at least twice this are decoded at 1/2, 1/4 or 1/8: much less memory,
# and still far more pixels than any model sees.
DRAFT_SIDE = 2048
# Pictures are converted in strips of about this many pixels.
_STRIP_PIXELS = 2**20
# Bicubic, which Pillow antialiases when it shrinks. Lanczos is as sharp but leaves wider ripples
# beside hard edges, and a first layer made of edge detectors would show them as content.
RESAMPLING = Image.Resampling.BICUBIC


class ImageError(ValueError):
    """A source that is no usable image. The message says why and what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class InputImage:
    """A picture, and exactly what the model sees of it. All arrays are read-only.

    Attributes:
        source: Name of the picture, for people: a file's name, or what kind of object it was.
        original: `uint8` array `(H, W, 3)`, RGB: the whole picture, turned upright.
        box: `(left, top, right, bottom)` in pixels of `original`: the part that is used.
        pixels: `uint8` array `(h, w, 3)`: that part, resized.
        notes: What was done to the source that a person should know about.
    """

    source: str
    original: np.ndarray
    box: tuple[int, int, int, int]
    pixels: np.ndarray
    notes: tuple[str, ...] = ()

    @cached_property
    def array(self) -> np.ndarray:
        """`pixels` as a batch of one: `float32` `(1, h, w, 3)`, RGB, 0…255."""
        return _frozen(self.pixels[None].astype(np.float32))

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-1 of `pixels` and their shape: equal for equal pictures."""
        state = hashlib.sha1(repr(self.pixels.shape).encode(), usedforsecurity=False)
        state.update(self.pixels.tobytes())
        return state.hexdigest()

    def fit(self, size: tuple[int, int]) -> InputImage:
        """The same picture for a model of another input size.

        Args:
            size: `(height, width)` in pixels.

        Returns:
            An `InputImage` cut from the same `original`, or this one if it has that size already.
        """
        size = _check_size(size)
        if self.pixels.shape[:2] == size:
            return self
        return _fit(self.source, self.original, size, self.notes)

    def __repr__(self) -> str:
        height, width = self.original.shape[:2]
        return (
            f"<InputImage {self.source!r}: {width}×{height} px, box {self.box} "
            f"seen as {self.pixels.shape[1]}×{self.pixels.shape[0]}>"
        )


def load_image(source: Any, size: tuple[int, int] = (224, 224)) -> InputImage:
    """Make an `InputImage` of anything a person may have.

    The picture is turned as its EXIF data says, its transparent parts are put on white, and all
    colour modes and depths become 8-bit RGB. The largest centred part that has the aspect ratio of
    `size` is resized (bicubic, antialiased).

    Args:
        source: A path (`str` or `Path`), an image file's `bytes`, a file object opened in binary
            mode, a `PIL.Image.Image`, an `InputImage`, or an array or tensor of shape `(H, W)`,
            `(H, W, 1)`, `(H, W, 3)`, `(H, W, 4)`, alone or as a batch of one. Arrays hold RGB:
            `bool`, integers 0…255, `uint16` 0…65535, or floats 0…1 or 0…255 (floats that never
            exceed 1 are multiplied by 255; `notes` says so).
        size: `(height, width)` in pixels that the model takes.

    Returns:
        An `InputImage`.

    Raises:
        ImageError: If the source is no image that can be used.
        FileNotFoundError: If it is a path where there is no file.
    """
    size = _check_size(size)
    if isinstance(source, InputImage):
        return source.fit(size)
    notes: list[str] = []
    name, original = _read(source, notes)
    # It is shown in many places; a file may be called anything, half an emoji or two lines.
    name = "".join(letter for letter in name if letter.isprintable()) or "picture"
    return _fit(name, _frozen(original), size, tuple(notes))


def _read(source: Any, notes: list[str]) -> tuple[str, np.ndarray]:
    """Name and `uint8` `(H, W, 3)` pixels of a source; the pixels belong to us."""
    if isinstance(source, (str, os.PathLike)):
        return _read_path(source, notes)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "bytes", _decode(io.BytesIO(source), "bytes", notes)
    if isinstance(source, Image.Image):
        name = Path(str(getattr(source, "filename", ""))).name or "PIL image"
        _check_image(name, source)
        return name, _guard(lambda: _from_pil(source, notes), name)
    if isinstance(source, io.TextIOBase):
        raise ImageError(
            'A file object must be opened in binary mode: open(path, "rb"). '
            f"Received: {reprlib.repr(source)}"
        )
    if callable(getattr(source, "read", None)):
        stream_name = getattr(source, "name", None)
        name = Path(stream_name).name if isinstance(stream_name, str) else "file object"
        return name, _decode(source, name, notes)
    if hasattr(source, "__array__"):
        try:
            array = np.asarray(source)
        except Exception as error:
            raise ImageError(
                f"A {type(source).__name__} was not convertible to a NumPy array ({error}). "
                "Convert it first, e.g. tensor.detach().cpu().numpy(). "
                f"Received: {reprlib.repr(source)}"
            ) from error
        array = _one_picture(array)
        name = f"array {array.shape[1]}×{array.shape[0]}"
        return name, _colours(_to_bytes(array, notes))
    raise ImageError(
        "`source` should be a path, an image file's bytes, a binary file object, a PIL image, an "
        f"array or a tensor. Received: {reprlib.repr(source)} (of type {type(source).__name__})"
    )


def _read_path(source: str | os.PathLike, notes: list[str]) -> tuple[str, np.ndarray]:
    text = os.fspath(source)
    if isinstance(text, str) and text.lower().startswith(("http://", "https://", "data:")):
        raise ImageError(
            "`source` should be a local file: pictures are not loaded from the web. Download it "
            f"and pass its path or its bytes. Received: {reprlib.repr(text)}"
        )
    shown = text if len(text) < 500 else reprlib.repr(text)
    try:
        path = Path(os.fsdecode(text)).expanduser()
        file = open(path if text else "", "rb")  # noqa: SIM115  (closed below, while decoding)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            raise
        why = f"No such image file (the current folder is {os.getcwd()!r})"
        raise FileNotFoundError(errno.ENOENT, why, shown) from None
    except ValueError as error:
        raise ImageError(f"`source` is no usable path: {error}. Received: {shown!r}") from None
    with file:
        return path.name, _decode(file, path.name, notes)


def _decode(file: Any, name: str, notes: list[str]) -> np.ndarray:
    """Decode an image file that nobody else reads."""

    def decode() -> np.ndarray:
        try:
            image = Image.open(file, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(name, str(error)) from error
        _check_image(name, image)
        full = image.size
        if isinstance(image, JpegImageFile):
            image.draft(image.mode, (DRAFT_SIDE, DRAFT_SIDE))
        if image.size != full:
            notes.append(f"decoded at {image.width}×{image.height} of {full[0]}×{full[1]} px")
        return _from_pil(image, notes)

    return _guard(decode, name)


def _guard(decode: Callable[[], np.ndarray], name: str) -> np.ndarray:
    """Run a decoder. Pillow's plugins raise a dozen types on damaged data; they become one."""
    try:
        return decode()
    except ImageError:
        raise
    except Exception as error:
        why = "not recognised" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(
            f"`source` could not be read as an image: damaged, cut short or of another format "
            f"({why}). Supported formats: {', '.join(FORMATS)}. Received: {name!r}"
        ) from error


def _from_pil(image: Image.Image, notes: list[str]) -> np.ndarray:
    if getattr(image, "is_animated", False):
        frame = image.tell() + 1
        notes.append(f"only {'the first' if frame == 1 else f'frame {frame}'} of several frames")
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        whole = _in_strips(image.size, lambda top, bottom: np.asarray(_rows(image, top, bottom)))
        return _colours(_to_bytes(whole, notes))
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return _in_strips(
        image.size,
        lambda top, bottom: _colours(np.asarray(_rows(image, top, bottom).convert(mode))),
    )


def _rows(image: Image.Image, top: int, bottom: int) -> Image.Image:
    return image.crop((0, top, image.width, bottom))


def _in_strips(size: tuple[int, int], make: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """The array whose rows `top` to `bottom` are `make(top, bottom)`, made a few at a time.

    All at once, what is needed between a picture and its pixels would be gigabytes.

    Args:
        size: `(width, height)`, as Pillow has it.
        make: Returns that part of the array.
    """
    width, height = size
    rows = max(1, _STRIP_PIXELS // width)
    first = make(0, min(rows, height))
    if rows >= height:
        return first
    result = np.empty((height, *first.shape[1:]), first.dtype)
    result[:rows] = first
    for top in range(rows, height, rows):
        bottom = min(top + rows, height)
        result[top:bottom] = make(top, bottom)
    return result


def _one_picture(array: np.ndarray) -> np.ndarray:
    """The `(H, W)`, `(H, W, 1)`, `(H, W, 3)` or `(H, W, 4)` view of an array, or an error."""
    shape = array.shape
    expected = "`source` should have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). "
    received = f"Received: shape {shape}, dtype {array.dtype}"
    if 0 in shape:
        raise ImageError(f"{expected}This array is empty. {received}")
    if array.ndim == 4:
        if shape[0] > 1:
            raise ImageError(
                f"{expected}This looks like a batch of {shape[0]} pictures: pass one of them, "
                f"images[0]. {received}"
            )
        array = array[0]
    if array.ndim not in (2, 3):
        raise ImageError(f"{expected}{received}")
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        hint = ""
        if array.shape[0] in (1, 3, 4):
            hint = "Channels seem to come first: pass np.moveaxis(image, -3, -1). "
        raise ImageError(f"{expected}{hint}{received}")
    _check_pixels(f"array {shape}", array.shape[1], array.shape[0])
    return array


def _to_bytes(array: np.ndarray, notes: list[str]) -> np.ndarray:
    """Values of any numeric dtype as `uint8`; what had to be assumed goes to `notes`."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 65535:
            raise ImageError(
                "Integers should be 0…255, or 0…65535 for 16 bits: rescale them. "
                f"Received: values {low}…{high}, dtype {array.dtype}"
            )
        if array.dtype != np.uint16:
            if high <= 255:
                return array.astype(np.uint8)
            notes.append(f"integers up to {high} taken as 16-bit")
        return _converted(array, lambda part: np.rint(part / np.float32(257)))
    return _floats_to_bytes(array, notes)


def _converted(array: np.ndarray, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`convert(array)` as `uint8`, a few rows at a time."""
    height, width = array.shape[:2]
    return _in_strips(
        (width, height), lambda top, bottom: convert(array[top:bottom]).astype(np.uint8)
    )


def _floats_to_bytes(array: np.ndarray, notes: list[str]) -> np.ndarray:
    def as_float32(part: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # numbers beyond its range are infinite, and refused
            return part.astype(np.float32)

    try:
        # bfloat16 and the float8 types are no NumPy floats, but they convert.
        if array.dtype.kind not in "fV" or array.dtype.names:
            raise TypeError
        as_float32(array[:1])
    except (TypeError, ValueError):
        raise ImageError(
            "`source` should hold bool, integer or float values. "
            f"Received: dtype {array.dtype}, shape {array.shape}"
        ) from None
    bad = _converted(array, lambda part: ~np.isfinite(as_float32(part)))
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
        raise ImageError(
            "`source` should hold finite numbers: replace the others, e.g. with np.nan_to_num. "
            f"Received: {np.count_nonzero(bad)} NaN or infinite values, the first at {first}"
        )
    low, high = float(array.min()), float(array.max())
    rounding = 1e-5  # what float arithmetic may leave below 0 or above 1 and 255
    if low < -rounding:
        raise ImageError(
            "`source` should be 0…1 or 0…255. Negative values look like a tensor that is already "
            "preprocessed: pass that with preprocess=False where a model is run. "
            f"Received: values {low:g}…{high:g}"
        )
    if high <= 1 + rounding:
        notes.append("floats 0…1, multiplied by 255")
        return _converted(array, lambda part: np.rint(as_float32(part) * 255))
    if high > 255 * (1 + rounding):
        raise ImageError(
            f"Floats should be 0…1 or 0…255: rescale them. Received: values {low:g}…{high:g}"
        )
    if high <= 2:
        notes.append(f"floats up to {high:g} taken as 0…255, nearly black")
    return _converted(array, lambda part: np.rint(as_float32(part)))


def _colours(array: np.ndarray) -> np.ndarray:
    """A new `(H, W, 3)` array of a `uint8` one that is grey, RGB or RGBA. White shines through."""
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 4:
        # Integer arithmetic, rounded: alpha 0 gives exactly 255, alpha 255 exactly the colour.
        alpha = array[..., 3].astype(np.uint16)
        white = 255 * (255 - alpha) + 127
        mixed = np.empty((*alpha.shape, 3), np.uint8)
        # One colour after the other: along a row NumPy is five times as fast as across three.
        for i in range(3):
            mixed[..., i] = (array[..., i] * alpha + white) // 255
        return mixed
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)))


def _fit(
    source: str, original: np.ndarray, size: tuple[int, int], notes: tuple[str, ...]
) -> InputImage:
    height, width = original.shape[:2]
    # The largest part of the wanted aspect ratio, never less than one pixel.
    used_height = min(height, max(1, round(width * size[0] / size[1])))
    used_width = min(width, max(1, round(height * size[1] / size[0])))
    left, top = (width - used_width) // 2, (height - used_height) // 2
    box = (left, top, left + used_width, top + used_height)
    part = original[box[1] : box[3], box[0] : box[2]]
    # One colour after the other: Pillow takes four bytes for a pixel of three.
    planes = (Image.fromarray(np.ascontiguousarray(part[..., i])) for i in range(3))
    resized = [np.asarray(p.resize((size[1], size[0]), RESAMPLING)) for p in planes]
    pixels = np.stack(resized, axis=-1)
    return InputImage(source, original, box, _frozen(pixels), notes)


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (operator.index(side) for side in size)
        if height < 1 or width < 1 or height * width > MAX_PIXELS:
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(
            "`size` should be (height, width), two integers ≥ 1, of at most "
            f"{MAX_PIXELS // 1_000_000} million pixels. Received: {size!r}"
        ) from None
    return height, width


def _check_image(name: str, image: Image.Image) -> None:
    width, height = image.size
    _check_pixels(name, width, height)
    animated = image.format == "WEBP" and getattr(image, "is_animated", False)
    if animated and width * height > MAX_ANIMATED_PIXELS:
        raise ImageError(
            f"An animated WebP should have at most {MAX_ANIMATED_PIXELS // 1_000_000} million "
            f"pixels: save one frame of it as a picture. Received: {name!r}, {width}×{height} px"
        )


def _check_pixels(name: str, width: int, height: int) -> None:
    if width * height == 0:
        raise ImageError(f"`source` has no pixels. Received: {name}, {width}×{height} px")
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width}×{height} px")


def _too_large(name: str, size: str) -> ImageError:
    return ImageError(
        f"`source` should have at most {MAX_PIXELS // 1_000_000} million pixels: crop or shrink it "
        f"first. Received: {name}, {size}"
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
