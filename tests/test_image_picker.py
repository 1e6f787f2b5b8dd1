"""ImagePicker without a browser: what its messages lead to."""

from __future__ import annotations

import pytest
from stub_comm import StubComm

from resnet_widgets.widgets.image_picker import ImagePicker


@pytest.fixture()
def picked():
    """What the callback was called with."""
    return []


@pytest.fixture()
def picker(picked):
    picker = ImagePicker(["cat.jpg", "__proto__"])
    picker.on_pick(lambda name, data: picked.append((name, data)))
    return picker


def test_a_photo_reaches_the_callback_as_bytes(picker, picked):
    StubComm(picker).page_sends({"kind": "photo", "name": "dog.png"}, [b"\x89PNG"])
    assert picked == [("dog.png", b"\x89PNG")]
    assert type(picked[0][1]) is bytes
    assert picker.name == "dog.png"


def test_a_sample_reaches_the_callback_by_name(picker, picked):
    StubComm(picker).page_sends({"kind": "sample", "name": "cat.jpg"})
    assert picked == [("cat.jpg", None)]
    assert picker.name == "cat.jpg"


@pytest.mark.parametrize(
    ("content", "buffers"),
    [
        ({"kind": "sample", "name": "../secret.jpg"}, []),
        ({"kind": "sample", "name": ["cat.jpg"]}, []),
        ({"kind": "photo", "name": "x"}, []),
        ({"kind": "photo", "name": "x"}, [b"a", b"b"]),
        ({"kind": "photo", "name": "x"}, [b""]),
        ({"kind": "photo", "name": "x"}, [bytes(8_000_001)]),
        ({"kind": "path", "name": "/etc/passwd"}, [b"a"]),
        ({}, [b"a"]),
        ("photo", [b"a"]),
        (None, []),
    ],
)
def test_nonsense_is_reported_and_not_passed_on(picker, picked, content, buffers):
    StubComm(picker).page_sends(content, buffers)
    assert picked == []
    assert picker.name == ""
    assert "Received: " in picker.error
    assert isinstance(picker.last_error, ValueError)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b\\c.png", "c.png"),
        ("../../etc/passwd", "passwd"),
        ("x\n\x00\u202ey.png", "xy.png"),
        ("é" * 300, "é" * 199 + "…"),
        ("folder/", "picture"),
        ("half \ud83d.png", "half .png"),
        (None, "None"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
    ],
)
def test_names_lose_folders_and_what_cannot_be_printed(picker, name, shown):
    StubComm(picker).page_sends({"kind": "photo", "name": name}, [b"x"])
    assert picker.name == shown


def test_what_the_page_did_to_the_photo_is_noted_until_the_next_one(picker):
    comm = StubComm(picker)
    note = "reduced from 6000 × 4000 to 2048 × 1365"
    comm.page_sends({"kind": "photo", "name": "x.png", "note": f"{note}\n\u202e"}, [b"x"])
    assert picker.note == note
    comm.page_sends({"kind": "photo", "name": "x.png", "note": 7 * "x" * 100}, [b"x"])
    assert len(picker.note) == 200
    comm.page_sends({"kind": "sample", "name": "cat.jpg"})
    assert picker.note == ""


def test_what_a_callback_raises_is_shown_and_the_others_still_run(picked):
    picker = ImagePicker()
    picker.on_pick(lambda name, data: 1 / 0)
    picker.on_pick(lambda name, data: picked.append(name))
    comm = StubComm(picker)
    comm.page_sends({"kind": "photo", "name": "dog.png"}, [b"x"])
    assert picked == ["dog.png"]
    assert picker.error == "division by zero"
    assert isinstance(picker.last_error, ZeroDivisionError)


def test_the_next_pick_clears_the_error(picker):
    comm = StubComm(picker)
    comm.page_sends({"kind": "photo"}, [])
    assert picker.error
    comm.page_sends({"kind": "sample", "name": "cat.jpg"})
    assert picker.error == ""


@pytest.mark.parametrize("works_on", [False, True])
def test_every_message_is_answered_with_whether_the_picture_is_worked_on(picker, works_on):
    picker.on_pick(lambda name, data: setattr(picker, "busy", works_on))
    comm = StubComm(picker)
    comm.page_sends({"kind": "sample", "name": "cat.jpg"})
    assert comm.page_has()["busy"] is works_on
    comm.sent.clear()
    comm.page_sends({"kind": "nonsense"})
    assert comm.page_has()["busy"] is works_on


def test_callbacks_can_be_removed(picked):
    picker = ImagePicker(["cat.jpg"])

    def callback(name, data):
        picked.append(name)

    picker.on_pick(callback)
    picker.on_pick(callback, remove=True)
    StubComm(picker).page_sends({"kind": "sample", "name": "cat.jpg"})
    assert picked == []


def test_a_closed_picker_lets_go_of_its_callbacks(picker, picked):
    comm = StubComm(picker)
    picker.close()
    comm.page_sends({"kind": "sample", "name": "cat.jpg"})
    assert picked == []


def test_the_page_sets_errors_only(picker):
    comm = StubComm(picker)
    comm.page_sets(
        error="dog.txt: not a picture", busy=True, name="x", note="x", samples=["/etc/passwd"]
    )
    assert picker.error == "dog.txt: not a picture"
    truth = {"busy": False, "name": "", "note": "", "samples": ["cat.jpg", "__proto__"]}
    assert {name: getattr(picker, name) for name in truth} == truth
    assert {name: comm.page_has()[name] for name in truth} == truth


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="sample"):
        ImagePicker(sample=["cat.jpg"])
