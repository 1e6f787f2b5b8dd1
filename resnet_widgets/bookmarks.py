"""Bookmarks: what was on show, with a note, as plain data and as JSON."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .engine.edits import edit_from_dict
from .widgets._base import LONGEST_NAME, sendable
from .widgets._coloured import COLOURS

if TYPE_CHECKING:
    from .explorer_state import ExplorerState

# Most bookmarks that an explorer keeps; they travel with the widget's state.
MOST = 200
_LONGEST_NOTE = 2000
_MOST_COLOURS = 16
_MOST_EDITS = 64
# Characters of JSON: of one, with all its texts and edits, and of all of them.
_LONGEST = 64_000
_LONGEST_TOGETHER = 4_000_000
_FORMAT = "resnet_widgets bookmarks"
_VERSION = 1

_TEXTS = {
    "photo": LONGEST_NAME,
    "digest": LONGEST_NAME,
    "compare": LONGEST_NAME,
    "compare_digest": LONGEST_NAME,
    "layer": LONGEST_NAME,
    "note": _LONGEST_NOTE,
}


class NotHereError(ValueError):
    """A photo of a bookmark is not here, and maybe the other one, of which was said so before."""

    def __init__(self, name: str, trait: str, former: BaseException | None) -> None:
        self.trait = trait
        if trait == "compare":
            self.own = (
                f"The second photo {name!r} of this bookmark is not here. Open it under Compare."
            )
        else:
            self.own = (
                f"The photo {name!r} of this bookmark is not here; layer and channel are shown for "
                "the present one. Open the photo, then go back to the bookmark."
            )
        others = [former.own] if isinstance(former, NotHereError) and former.trait != trait else []
        super().__init__(" ".join([*others, self.own]))


def bookmark_of(shown: ExplorerState, note: str) -> dict[str, Any]:
    """What an explorer shows now, and a note."""
    return {
        "photo": shown.picture.get("name", ""),
        "digest": shown.photo,
        "compare": shown.compare_picture.get("name", ""),
        "compare_digest": shown.compare_photo,
        "layer": shown.layer,
        "channel": shown.channel,
        "region": shown.region,
        "note": note,
        "colours": {name: getattr(shown.map, name) for name in COLOURS},
        "edits": [edit.to_dict() for edit in shown.edits],
    }


def show_bookmark(shown: ExplorerState, entry: Any, find: Callable[..., None]) -> None:
    """Shows again what a bookmark kept.

    Args:
        shown: The explorer.
        entry: A bookmark.
        find: Called with the key and the name of a photo, and with the trait to set to it where
            that is not `image`.

    Raises:
        ValueError: See `Explorer.replay`, and `TraitError` there.
    """
    entry = check_bookmark(entry)
    shown.error = ""
    known = {name: value for name, value in entry["colours"].items() if name in COLOURS}
    shown.map.update(**known)
    shown.update(layer=entry["layer"], channel=entry["channel"], region=entry["region"])
    # Bookmarks of older files have no edits; what was edited can be told from the digest.
    if entry["edits"] or " " not in entry["digest"]:
        shown.edits = [edit_from_dict(edit) for edit in entry["edits"]]
    if entry["digest"] not in ("", shown.photo):
        find(entry["digest"], entry["photo"])
    if entry["compare_digest"]:
        find(entry["compare_digest"], entry["compare"], "compare")


def check_bookmark(entry: Any) -> dict[str, Any]:
    """One bookmark, as plain data that JSON can hold.

    Args:
        entry: Mapping with `layer` and, where they matter, `photo` (its name), `digest` (of the
            photo), `compare` and `compare_digest` (of the second photo), `channel`, `region`,
            `note`, and `colours`: those traits of an `ActivationMap` that say what its colours
            mean, such as `symmetric`; `edits`, what was changed in the network, each as
            `Edit.to_dict` gives it.

    Returns:
        A new `dict` with all of these keys, and � for half of an emoji in its texts.

    Raises:
        ValueError: If it is something else, is longer than 64 000 characters as JSON, or has a key
            or a value that no bookmark has.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"A bookmark must be a mapping. Received: {reprlib.repr(entry)}")
    empty = {**dict.fromkeys(_TEXTS, ""), "channel": 0, "region": [], "colours": {}, "edits": []}
    if unknown := sorted(map(str, entry.keys() - empty.keys())):
        raise ValueError(
            f"A bookmark has the keys {sorted(empty)}. Received: {reprlib.repr(unknown)}"
        )
    made = {**empty, **entry}
    for key, most in _TEXTS.items():
        if not isinstance(made[key], str) or len(made[key]) > most:
            _refuse(key, f"text of at most {most} characters", made[key])
    if not made["layer"]:
        _refuse("layer", "the path of a layer", made["layer"])
    if type(made["channel"]) is not int or not 0 <= made["channel"] < 2**31:
        _refuse("channel", "an index, 0 or more", made["channel"])
    made["region"] = _box(made["region"])
    made["colours"] = _colours(made["colours"])
    made["edits"] = _edits(made["edits"])
    if (length := _length(made)) > _LONGEST:
        raise ValueError(
            f"A bookmark must have at most {_LONGEST} characters of JSON. Received: {length}"
        )
    # Half of an emoji can be neither written to a file nor sent to the page.
    return sendable(made)


def check_bookmarks(entries: Any) -> list[dict[str, Any]]:
    """A list of bookmarks, each as `check_bookmark` returns it.

    Raises:
        ValueError: If there are too many, they are longer than 4 million characters as JSON, or
            one of them is none; the message says which.
    """
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
        raise ValueError(f"Bookmarks must be a list. Received: {reprlib.repr(entries)}")
    entries = list(entries)
    if len(entries) > MOST:
        raise ValueError(f"There can be at most {MOST} bookmarks. Received: {len(entries)}")
    made = []
    for index, entry in enumerate(entries):
        try:
            made.append(check_bookmark(entry))
        except ValueError as error:
            raise ValueError(f"Bookmark {index}: {error}") from None
    if (length := _length(made)) > _LONGEST_TOGETHER:
        raise ValueError(
            f"Bookmarks must have at most {_LONGEST_TOGETHER} characters of JSON together. "
            f"Received: {length}"
        )
    return made


def to_json(entries: Any) -> str:
    """Bookmarks as JSON text, to be read again with `from_json`."""
    content = {"format": _FORMAT, "version": _VERSION, "bookmarks": check_bookmarks(entries)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def from_json(text: str | bytes) -> list[dict[str, Any]]:
    """Bookmarks from JSON text that `to_json` has made.

    Raises:
        ValueError: If the text is no JSON, or JSON of something else.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # of the syntax, the encoding, or the depth
        raise ValueError(f"Bookmarks must be JSON, but this is not: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(
            "This is JSON, but not of bookmarks. Expected what `Explorer.save_bookmarks` writes. "
            f"Received: {reprlib.repr(content)}"
        )
    if content.get("version") != _VERSION:
        raise ValueError(
            f"These bookmarks have a version that is not known here, which is {_VERSION}. "
            f"Update the package to read them. Received: version {content.get('version')!r}"
        )
    return check_bookmarks(content.get("bookmarks"))


def _box(region: Any) -> list[float]:
    if isinstance(region, (list, tuple)) and not region:
        return []
    try:
        x0, y0, x1, y1 = box = [float(edge) for edge in region]
        good = 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        _refuse("region", "[x0, y0, x1, y1] within 0…1, or []", region)
    return box


def _colours(colours: Any) -> dict[str, Any]:
    """Names and plain values; what they mean is for the map to check that gets them."""

    def is_plain(value: Any) -> bool:
        if isinstance(value, float):
            return value - value == 0  # NaN and infinity are not JSON
        if isinstance(value, int):
            return abs(value) < 2**53  # JSON allows what no number of a page can be
        return isinstance(value, str) and len(value) < 100

    if not isinstance(colours, Mapping) or len(colours) > _MOST_COLOURS:
        _refuse("colours", "a mapping of traits of an ActivationMap", colours)
    for name, value in colours.items():
        numbers = isinstance(value, (list, tuple)) and len(value) <= 4
        if not isinstance(name, str) or not all(map(is_plain, value if numbers else [value])):
            _refuse("colours", "plain values", {name: value})
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in colours.items()
    }


def _edits(edits: Any) -> list[dict[str, Any]]:
    """Edits as JSON; whether a model has such layers and channels is for the explorer to check."""
    if not isinstance(edits, (list, tuple)) or len(edits) > _MOST_EDITS:
        _refuse("edits", f"a list of at most {_MOST_EDITS} edits", edits)
    try:
        return [edit_from_dict(edit).to_dict() for edit in edits]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`edits` must be edits as `Edit.to_dict` gives them: {error}") from None


def _length(made: Any) -> int:
    return len(json.dumps(made, ensure_ascii=False))


def _refuse(key: str, expected: str, value: Any) -> None:
    raise ValueError(f"`{key}` must be {expected}. Received: {reprlib.repr(value)}")
