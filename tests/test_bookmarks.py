"""Bookmarks as data: what is one, what is not, and JSON there and back."""

import json

import pytest

from resnet_widgets.bookmarks import MOST, check_bookmark, check_bookmarks, from_json, to_json

ENTRY = {
    "photo": "cat.jpg",
    "digest": "ab12",
    "compare": "rocket.jpg",
    "compare_digest": "cd34",
    "layer": "conv3_block4_out",
    "channel": 44,
    "region": [0.25, 0.0, 0.5, 0.5],
    "note": "<b>ear</b> \u202e “ü”",
    "colours": {"scale": "zero", "limits": [-1.0, 2.5], "colormap": "auto"},
    "edits": [
        {"kind": "mute", "layer": "conv3_block4_out", "channels": [1, 2]},
        {"kind": "erase", "layer": "conv1_relu", "box": [0.0, 0.0, 0.5, 1.0], "channels": []},
    ],
}


def test_there_and_back():
    assert from_json(to_json([ENTRY, ENTRY])) == [ENTRY, ENTRY]
    assert from_json(to_json([])) == []


def test_what_is_missing_is_filled_in():
    assert check_bookmark({"layer": "conv1_relu"}) == {
        "photo": "",
        "digest": "",
        "compare": "",
        "compare_digest": "",
        "layer": "conv1_relu",
        "note": "",
        "channel": 0,
        "region": [],
        "colours": {},
        "edits": [],
    }


def test_files_from_before_there_were_edits_and_second_photos_still_load():
    newer = {"edits": [], "compare": "", "compare_digest": ""}
    older = {key: value for key, value in ENTRY.items() if key not in newer}
    text = json.dumps({"format": "resnet_widgets bookmarks", "version": 1, "bookmarks": [older]})
    assert from_json(text) == [{**older, **newer}]


def test_what_comes_out_is_not_what_went_in():
    entry = {**ENTRY, "region": (0, 0, 1, 1), "colours": {"limits": (0, 1)}}
    made = check_bookmark(entry)
    assert made["region"] == [0, 0, 1, 1]
    assert made["colours"] == {"limits": [0, 1]}
    assert made is not entry


@pytest.mark.parametrize(
    "wrong",
    [
        {"layer": ""},
        {"layer": 3},
        {"layer": "x" * 10_001},
        {"note": "x" * 2001},
        {"note": None},
        {"compare": 3},
        {"compare_digest": "x" * 10_001},
        {"channel": -1},
        {"channel": True},
        {"channel": 1.5},
        {"channel": 2**31},
        {"region": [0, 0, 1]},
        {"region": [0, 0, 0, 1]},
        {"region": [0, 0, 2, 1]},
        {"region": "abcd"},
        {"region": 0},
        {"colours": []},
        {"colours": {"limits": [0.0, float("nan")]}},
        {"colours": {"limits": [[0]]}},
        {"colours": {"scale": {"a": 1}}},
        {"colours": {"scale": "x" * 100}},
        {"colours": {1: "x"}},
        {"colours": {str(i): 0 for i in range(17)}},
        {"edits": "mute"},
        {"edits": [{"kind": "boil"}]},
        {"edits": [{**ENTRY["edits"][0], "channels": []}]},
        {"edits": [ENTRY["edits"][0]] * 65},
    ],
)
def test_what_is_wrong_is_named(wrong):
    [key] = wrong
    with pytest.raises(ValueError, match=rf"^`{key}` must be .*Received: "):
        check_bookmark({**ENTRY, **wrong})


def test_edits_in_a_layer_of_a_long_name_are_kept():
    path = "ü" * 10_000
    edits = [{"kind": "mute", "layer": path, "channels": [channel]} for channel in range(4)]
    assert check_bookmark({"layer": path, "edits": edits})["edits"] == edits


def test_all_that_is_in_a_bookmark_has_one_limit_and_that_of_all_bookmarks_another():
    text = "x" * 10_000
    texts = dict.fromkeys(("photo", "digest", "compare", "compare_digest", "layer"), text)
    long = {**texts, "edits": [{"kind": "mute", "layer": text, "channels": [1]}]}
    with pytest.raises(ValueError, match=r"^A bookmark must .* 64000 .*JSON. Received: \d{5}$"):
        check_bookmark({**long, "edits": [{**long["edits"][0], "channels": list(range(2000))}]})
    assert len(check_bookmarks([long] * 60)) == 60
    with pytest.raises(ValueError, match=r"^Bookmarks must .* 4000000 .*JSON.* Received: \d{7}$"):
        check_bookmarks([long] * 70)


@pytest.mark.parametrize("entry", [None, "conv1", ["layer"], 3])
def test_what_is_no_mapping_is_no_bookmark(entry):
    with pytest.raises(ValueError, match=r"must be a mapping.*Received: "):
        check_bookmark(entry)


def test_a_key_that_none_has_is_named():
    with pytest.raises(ValueError, match=r"has the keys .*Received: \['chanel'\]"):
        check_bookmark({**ENTRY, "chanel": 3})


def test_the_message_says_which():
    with pytest.raises(ValueError, match=r"^Bookmark 1: `layer`"):
        check_bookmarks([ENTRY, {"layer": ""}])


@pytest.mark.parametrize("entries", [None, "abc", ENTRY, 7])
def test_a_list_is_a_list(entries):
    with pytest.raises(ValueError, match=r"must be a list.*Received: "):
        check_bookmarks(entries)


def test_there_is_a_limit():
    assert len(check_bookmarks([ENTRY] * MOST)) == MOST
    with pytest.raises(ValueError, match=rf"at most {MOST} .*Received: {MOST + 1}"):
        check_bookmarks([ENTRY] * (MOST + 1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "must be JSON"),
        (b"\xff\xfe\x00", "must be JSON"),
        ("[]", "not of bookmarks"),
        ('{"format": "x"}', "not of bookmarks"),
        (to_json([]).replace('"version": 1', '"version": 2'), "Update the package"),
        (json.dumps({"format": "resnet_widgets bookmarks", "version": 1}), "must be a list"),
    ],
)
def test_text_that_holds_none_says_what_it_is(text, reason):
    with pytest.raises(ValueError, match=reason):
        from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        {"region": [0, 0, 1, 10**400]},
        {"colours": {"limits": [0, 10**400]}},
        {"edits": [{"kind": "scale", "layer": "a", "channels": [1], "factor": 10**400}]},
    ],
)
def test_numbers_that_no_page_has_are_refused(change):
    with pytest.raises(ValueError, match=f"`{next(iter(change))}` must be"):
        check_bookmark({**ENTRY, **change})


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</script><!--",
        "\"'",
        "__proto__",
        "\u202e",
        "a\nb\0c",
        "x" * 300,
    ],
)
def test_text_that_would_be_markup_is_text(text):
    entry = {**ENTRY, "photo": text, "layer": text, "note": text}
    assert from_json(to_json([entry]).encode()) == [entry]


def test_half_of_an_emoji_is_read_and_written_as_what_stands_for_it():
    half, whole = "\ud83d", "\ud83d\ude00"
    edit = {"kind": "mute", "layer": f"{half} conv", "channels": [1]}
    texts = {"photo": half, "layer": f"{half}/conv", "note": f"ear {half}{whole}"}
    entry = {**ENTRY, **texts, "colours": {half: half}, "edits": [edit]}
    made = check_bookmark(entry)
    assert [made[key] for key in texts] == ["�", "�/conv", "ear �😀"]
    assert (made["colours"], made["edits"][0]["layer"]) == ({"�": "�"}, "� conv")
    file = json.dumps({"format": "resnet_widgets bookmarks", "version": 1, "bookmarks": [entry]})
    assert from_json(file) == [made]
    assert from_json(to_json([entry]).encode()) == [made]


def test_json_of_any_depth_is_refused_with_a_word():
    with pytest.raises(ValueError, match="must be JSON"):
        from_json("[" * 100_000)
