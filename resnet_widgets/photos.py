"""The photos that an explorer keeps, and those that are there from the start."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from .engine.edits import EditedRun
from .engine.images import InputImage
from .engine.worker import Task
from .widgets._base import traits_lock

# Photos of which the page may still ask for frames, and edited ones; older ones are forgotten.
_MOST = 8
# Longest side, in pixels, of the picture that is sent to be looked at.
_SHOWN_SIDE = 900

_SAMPLES = ("chelsea.png", "astronaut.png", "coffee.png", "rocket.jpg")


@dataclasses.dataclass(frozen=True)
class Photo:
    """What is kept of a photo: what the model sees, and a picture of it for the page."""

    image: InputImage | EditedRun
    picture: dict[str, Any]
    jpeg: bytes

    @classmethod
    def of(cls, image: InputImage) -> Photo:
        height, width = image.original.shape[:2]
        picture = {
            "name": image.source,
            "size": [height, width],
            "box": list(image.box),
            "notes": list(image.notes),
        }
        shown = Image.fromarray(image.original)
        shown.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        file = io.BytesIO()
        shown.save(file, "JPEG", quality=90)
        # The original can be 150 MB, and the last few photos are kept.
        seen_height, seen_width = image.pixels.shape[:2]
        kept = dataclasses.replace(
            image, original=image.pixels, box=(0, 0, seen_width, seen_height)
        )
        return cls(kept, picture, file.getvalue())

    def seen(self) -> bytes:
        """A JPEG of the part that the model sees."""
        shown = Image.open(io.BytesIO(self.jpeg))
        height, width = self.picture["size"]
        scale = shown.width / width, shown.height / height
        left, top, right, bottom = (
            round(edge * scale[i % 2]) for i, edge in enumerate(self.picture["box"])
        )
        # Of a very long photo it may be less than a pixel.
        box = left, top, max(left + 1, right), max(top + 1, bottom)
        file = io.BytesIO()
        shown.crop(box).save(file, "JPEG", quality=90)
        return file.getvalue()


class Photos:
    """The last few photos, by their keys.

    Args:
        forget: Called with the key of each one that is let go.
    """

    def __init__(self, forget: Callable[[str], None]) -> None:
        self._forget = forget
        self._kept: OrderedDict[str, Photo] = OrderedDict()

    def get(self, key: Any) -> Photo | None:
        """The photo of this key, or `None`; a page may ask for anything."""
        return self._kept.get(key) if isinstance(key, str) else None

    def all(self) -> dict[str, Photo]:
        """All that are kept now, the oldest first."""
        with traits_lock:
            return dict(self._kept)

    def of(self, image: InputImage, size: tuple[int, int]) -> Photo:
        """What is kept of `image` for a model of this input; one from here keeps its picture."""
        fitted = image.fit(size)
        kept = self.get(fitted.digest)
        return kept if kept is not None and kept.image is fitted else Photo.of(fitted)

    def keep(self, photo: Photo, task: Task, *, beside: str) -> str:
        """Keeps a photo among the last few, and the one `beside` it on show; returns its key."""
        key = photo.image.digest
        with traits_lock:
            task.check()
            if isinstance(photo.image, EditedRun):
                # Without it the photo could not be shown again.
                self._kept.setdefault(
                    photo_of(key), dataclasses.replace(photo, image=photo.image.image)
                )
                self._kept.move_to_end(photo_of(key))
            self._kept[key] = photo
            self._kept.move_to_end(key)
            for old in self._surplus({key, beside}):
                del self._kept[old]
                self._forget(old)
        return key

    def _surplus(self, on_show: set[str]) -> list[str]:
        """The oldest edited photos, so that knobs do not push photos out, and the oldest photos."""
        edited = [key for key in self._kept if photo_of(key) != key]
        photos = [key for key in self._kept if photo_of(key) == key]
        oldest = set(photos[:-_MOST]) - {photo_of(key) for key in on_show}
        surplus = {*edited[:-_MOST], *(key for key in self._kept if photo_of(key) in oldest)}
        return [key for key in self._kept if key in surplus - on_show]

    def clear(self) -> None:
        """Lets all go, and tells nobody."""
        with traits_lock:
            self._kept = OrderedDict()


def photo_of(key: str) -> str:
    """The key of the photo behind that of an edited one, which has the edits' own after it."""
    return key.partition(" ")[0]


def sample_photos() -> dict[str, Path]:
    """Photos that come with scikit-image, by name; none where it is not installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.origin:
        return {}
    paths = [Path(found.origin).parent / "data" / name for name in _SAMPLES]
    return {path.name: path for path in paths if path.is_file()}
