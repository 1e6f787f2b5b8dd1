"""What a hand can do in the explorer, from Python: regions, a second photo, bookmarks, arrays."""

import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import test_explorer
import traitlets
from stub_comm import StubComm
from test_explorer import LONG, PHOTO, ask, done

import resnet_widgets as rw
from resnet_widgets.engine import models
from resnet_widgets.engine.regions import region_channels
from resnet_widgets.explain import Mute, Scale
from resnet_widgets.photos import sample_photos
from resnet_widgets.widgets._base import Widget
from resnet_widgets.widgets._coloured import COLOURS, Coloured

make, model = test_explorer.make, test_explorer.model
OTHER = np.random.default_rng(9).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def until(explorer, name, wanted):
    """Waits until a trait satisfies `wanted`; returns its value."""
    there = threading.Event()
    look = lambda _change=None: wanted(getattr(explorer, name)) and there.set()  # noqa: E731
    explorer.observe(look, name)
    look()
    assert there.wait(LONG), (name, getattr(explorer, name), explorer.error)
    explorer.unobserve(look, name)
    return getattr(explorer, name)


class TestArrays:
    def test_the_selected_array_is_the_model_s_own(self, make):
        explorer = done(make())
        explorer.channel = 3
        expected = explorer.cache.activation(PHOTO, explorer.layer)[:, :, 3]
        np.testing.assert_array_equal(explorer.selected_array, expected)
        assert explorer.selected_array.dtype == np.float32
        assert not explorer.selected_array.flags.writeable

    def test_of_a_vector_it_is_one_number(self, make):
        explorer = done(make(layer="avg_pool"))
        explorer.channel = 2
        assert explorer.selected_array.shape == ()
        assert explorer.selected_array == explorer.cache.activation(PHOTO, "avg_pool")[2]

    def test_it_is_that_of_the_photo_just_set(self, make):
        explorer = done(make())
        explorer.image = OTHER
        expected = explorer.cache.activation(OTHER, explorer.layer)[:, :, explorer.channel]
        np.testing.assert_array_equal(explorer.selected_array, expected)

    def test_without_a_photo_it_says_what_is_missing(self, make):
        explorer = make(image=None)
        with pytest.raises(RuntimeError, match=r"There is no (photo|model) yet.*Received: status"):
            explorer.selected_array  # noqa: B018


class TestRegions:
    def test_channels_come_from_the_exact_activation(self, make):
        explorer = done(make())
        explorer.region = [0.25, 0, 0.75, 0.5]
        activation = explorer.cache.activation(PHOTO, explorer.layer)
        expected = region_channels(activation, [0.25, 0, 0.75, 0.5], 4)
        assert explorer.region_channels(4) == expected
        assert len(expected) == 4

    def test_without_a_region_there_are_none(self, make):
        assert done(make()).region_channels() == []

    @pytest.mark.parametrize(
        ("region", "kept"),
        [([-1, 0.25, 0.5, 2], [0, 0.25, 0.5, 1]), ([0.5, 0, 0.25, 1], []), ([0.1, 0.2], [])],
    )
    def test_what_the_page_draws_is_kept_inside(self, make, region, kept):
        explorer = done(make())
        StubComm(explorer).page_sets(region=region)
        assert explorer.region == kept

    def test_a_pixel_lies_in_the_input(self, make):
        explorer = done(make())
        comm = StubComm(explorer)
        comm.page_sets(pixel=[31, 400])
        assert explorer.pixel == [31, 31]
        comm.page_sets(pixel=[1])
        assert explorer.pixel == []

    def test_the_overlay_is_a_share(self, make):
        explorer = done(make())
        comm = StubComm(explorer)
        for sent, kept in ((0.4, 0.4), (7.0, 1.0), (-1.0, 0.0), (float("nan"), 0.0)):
            comm.page_sets(overlay=sent)
            assert explorer.overlay == kept


class TestCompare:
    def test_a_second_photo_has_frames_of_its_own(self, make):
        explorer = done(make())
        explorer.compare = OTHER
        until(explorer, "compare_photo", bool)
        assert explorer.compare_photo == explorer.compare.fit((32, 32)).digest != explorer.photo
        assert explorer.compare_picture["size"] == [40, 40]
        content, _ = ask(explorer, explorer.layer, explorer.compare_photo)
        assert content["kind"] == "frame"

    def test_it_may_be_set_before_the_model_is_there(self, make):
        explorer = make()
        explorer.compare = OTHER
        until(explorer, "compare_photo", bool)

    def test_none_takes_it_away(self, make):
        explorer = done(make())
        explorer.compare = OTHER
        until(explorer, "compare_photo", bool)
        StubComm(explorer).page_sends({"kind": "remove"})
        until(explorer, "compare_photo", lambda photo: photo == "")
        assert explorer.compare is None
        assert explorer.compare_picture == {}

    def test_the_page_can_swap(self, make):
        explorer = done(make())
        explorer.compare = OTHER
        until(explorer, "compare_photo", bool)
        first, second = explorer.photo, explorer.compare_photo
        StubComm(explorer).page_sends({"kind": "swap"})
        until(explorer, "compare_photo", lambda photo: photo == first)
        until(explorer, "photo", lambda photo: photo == second)

    def test_to_swap_with_nothing_changes_nothing(self, make):
        explorer = done(make())
        image = explorer.image
        explorer.swap()
        assert explorer.image is image

    def test_what_is_no_picture_is_refused_and_changes_nothing(self, make):
        explorer = done(make())
        with pytest.raises(ValueError, match="Received"):
            explorer.compare = np.zeros((2, 2, 7))
        assert explorer.compare is None

    def test_a_photo_on_show_is_never_forgotten(self, make, monkeypatch):
        monkeypatch.setattr("resnet_widgets.photos._MOST", 1)
        explorer = done(make())
        explorer.compare = OTHER
        until(explorer, "compare_photo", bool)
        assert ask(explorer, explorer.layer)[0]["kind"] == "frame"
        before = explorer.photo
        explorer.image = 255 - OTHER
        until(explorer, "photo", lambda photo: photo != before)
        assert ask(explorer, explorer.layer, explorer.compare_photo)[0]["kind"] == "frame"
        assert ask(explorer, explorer.layer, before)[0]["kind"] == "error"

    def test_its_picker_sets_it(self, make):
        explorer = done(make())
        name = explorer.compare_picker.samples[0]
        StubComm(explorer.compare_picker).page_sends({"kind": "sample", "name": name})
        until(explorer, "compare_photo", bool)
        assert explorer.compare.source == name
        assert explorer.image.source != name


class TestBookmarks:
    def test_their_colours_are_all_that_a_map_has_here_and_in_the_page(self):
        own = set(Coloured.class_traits()) - set(Widget.class_traits())
        assert set(COLOURS) == own
        widgets = Path(rw.__file__).parent / "widgets"
        ranges = re.search(r"RANGE_TRAITS = (\[.*?\]);", (widgets / "ranges.js").read_text("utf-8"))
        assert [*json.loads(ranges[1]), "colormap"] == list(COLOURS)
        bookmark_list = (widgets / "bookmark_list.js").read_text("utf-8")
        assert 'COLOUR_TRAITS = [...RANGE_TRAITS, "colormap"];' in bookmark_list

    def test_they_keep_what_is_on_show(self, make):
        explorer = done(make())
        explorer.channel = 4
        explorer.region = [0, 0, 0.5, 0.5]
        explorer.map.symmetric = True
        explorer.add_bookmark("the “ear”")
        assert explorer.bookmarks == [
            {
                "photo": explorer.image.source,
                "digest": explorer.photo,
                "compare": "",
                "compare_digest": "",
                "layer": explorer.layer,
                "channel": 4,
                "region": [0, 0, 0.5, 0.5],
                "note": "the “ear”",
                "colours": {
                    "blend": 0,
                    "symmetric": True,
                    "clip": 0,
                    "limits": [],
                    "colormap": "auto",
                },
                "edits": [],
            }
        ]

    def test_they_replay(self, make):
        explorer = done(make())
        explorer.channel, explorer.region = 4, [0, 0, 0.5, 0.5]
        explorer.map.colormap = "magma"
        explorer.add_bookmark()
        layer, photo = explorer.layer, explorer.photo
        explorer.layer, explorer.channel, explorer.region = "conv1_relu", 1, []
        explorer.map.colormap = "auto"
        explorer.image = OTHER
        until(explorer, "photo", lambda key: key != photo)
        explorer.replay(0)
        assert (explorer.layer, explorer.channel) == (layer, 4)
        assert (explorer.region, explorer.map.colormap) == ([0, 0, 0.5, 0.5], "magma")
        until(explorer, "photo", lambda key: key == photo)
        # The picture for the page is that of the whole photo still.
        assert explorer.picture["size"] == [40, 60]
        # What is kept beside it is what the model sees, all of it.
        assert explorer.image.original is explorer.image.pixels
        assert explorer.image.box == (0, 0, 32, 32)

    @pytest.mark.parametrize("which", ["on show", "sample", "first"])
    def test_they_replay_before_there_is_a_model(self, make, monkeypatch, model, which):
        kept = done(make())
        kept.add_bookmark()
        [entry] = kept.bookmarks
        if which != "on show":
            name, path = next(iter(sample_photos().items()))
            entry = {**entry, "photo": name, "digest": rw.load_image(path, (32, 32)).digest}
        go_on = threading.Event()
        monkeypatch.setattr(models, "load_model", lambda *a, **k: go_on.wait(LONG) and model)
        explorer = make(image=None) if which == "first" else make()
        explorer.replay(entry)
        with pytest.raises(TimeoutError):
            explorer.wait(0.01)
        go_on.set()
        assert explorer.wait(LONG).photo == entry["digest"]
        assert not explorer.error

    def test_they_may_be_of_a_photo_that_is_not_found(self, make, monkeypatch, model):
        go_on = threading.Event()
        monkeypatch.setattr(models, "load_model", lambda *a, **k: go_on.wait(LONG) and model)
        explorer = make(image=None)
        explorer.replay({"layer": "conv1_relu", "photo": "far.jpg", "digest": "00"})
        go_on.set()
        with pytest.raises(RuntimeError, match=r"could not be shown.*'far\.jpg'"):
            explorer.wait(LONG)
        assert "'far.jpg'" in explorer.error

    def test_they_replay_the_second_photo(self, make):
        explorer = done(make())
        explorer.compare = OTHER
        second = until(explorer, "compare_photo", bool)
        explorer.add_bookmark()
        kept = explorer.bookmarks[0]
        name = explorer.compare.source
        assert (kept["compare"], kept["compare_digest"]) == (name, second)
        explorer.compare = None
        until(explorer, "compare_photo", lambda key: key == "")
        explorer.add_bookmark("without")
        explorer.replay(0)
        until(explorer, "compare_photo", lambda key: key == second)
        explorer.replay(1)
        assert explorer.compare is not None, "one that has none leaves it as it is"
        explorer.compare = None
        show = {"kind": "show", "photo": second, "name": name, "second": True}
        StubComm(explorer).page_sends(show)
        assert explorer.wait(LONG).compare_photo == second

    def test_a_second_photo_is_found_among_the_samples_or_said_to_be_missing(self, make):
        explorer = done(make())
        photo = explorer.photo
        name, path = next(iter(sample_photos().items()))
        digest = rw.load_image(path, explorer.cache.input_size).digest
        entry = {"layer": "conv1_relu", "compare": name, "compare_digest": digest}
        explorer.replay(entry)
        until(explorer, "compare_photo", lambda key: key == digest)
        explorer.replay({**entry, "compare": "far.jpg", "compare_digest": "00"})
        until(explorer, "error", lambda error: "second photo 'far.jpg'" in error)
        assert (explorer.photo, explorer.compare_photo) == (photo, digest)

    def test_they_replay_edits(self, make, tmp_path):
        explorer = done(make())
        plain, edits = explorer.photo, [Mute("conv1_relu", 1), Scale("conv1_relu", [0, 2], 0.5)]
        explorer.add_bookmark("as it is")
        explorer.edits = edits
        edited = until(explorer, "photo", lambda key: key != plain)
        explorer.add_bookmark("changed")
        assert explorer.bookmarks[1]["edits"] == [edit.to_dict() for edit in edits]
        explorer.save_bookmarks(tmp_path / "b.json")
        explorer.replay(0)
        assert explorer.edits == []
        until(explorer, "photo", lambda key: key == plain)
        # Another session has not shown the photo with these edits, only the photo.
        other = done(make())
        other.load_bookmarks(tmp_path / "b.json")
        assert other.photo == plain
        other.replay(1)
        assert other.edits == edits
        until(other, "photo", lambda key: key == edited)
        assert not other.error

    def test_edits_of_an_older_bookmark_are_those_of_the_photo_shown_lately(self, make):
        explorer = done(make())
        plain, edits = explorer.photo, [Mute("conv1_relu", 1)]
        explorer.edits = edits
        edited = until(explorer, "photo", lambda key: key != plain)
        explorer.edits = []
        until(explorer, "photo", lambda key: key == plain)
        explorer.replay({"layer": "conv1_relu", "digest": edited})
        assert explorer.edits == edits

    def test_edits_that_fit_no_layer_are_refused(self, make):
        explorer = done(make())
        edit = Mute("conv9", 1).to_dict()
        with pytest.raises(ValueError, match="No such layer"):
            explorer.replay({"layer": "conv1_relu", "edits": [edit]})
        assert explorer.edits == []

    def test_a_photo_that_is_not_here_stays_away_and_the_rest_is_shown(self, make):
        explorer = done(make())
        photo = explorer.photo
        explorer.replay({"layer": "conv1_relu", "channel": 2, "photo": "far.jpg", "digest": "00"})
        until(explorer, "error", lambda error: "'far.jpg'" in error and "not here" in error)
        assert (explorer.photo, explorer.layer, explorer.channel) == (photo, "conv1_relu", 2)

    def test_a_sample_is_found_by_its_name(self, make):
        explorer = done(make())
        name, path = next(iter(sample_photos().items()))
        explorer.image = path
        photo = explorer.photo
        until(explorer, "photo", lambda key: key != photo)
        explorer.add_bookmark()
        explorer.image = OTHER
        until(explorer, "picture", lambda picture: picture["name"] != name)
        explorer._photos.clear()
        StubComm(explorer).page_sends(
            {"kind": "show", "photo": explorer.bookmarks[0]["digest"], "name": name}
        )
        until(explorer, "photo", lambda key: key == explorer.bookmarks[0]["digest"])

    def test_a_file_takes_them_to_another_explorer(self, make, tmp_path):
        explorer = done(make())
        explorer.add_bookmark("one")
        explorer.add_bookmark("two")
        explorer.save_bookmarks(tmp_path / "b.json")
        assert json.loads((tmp_path / "b.json").read_text("utf-8"))["version"] == 1
        other = make(image=None)
        other.load_bookmarks(tmp_path / "b.json")
        assert other.bookmarks == explorer.bookmarks
        (tmp_path / "no.json").write_text("[1]")
        with pytest.raises(ValueError, match="not of bookmarks"):
            other.load_bookmarks(tmp_path / "no.json")
        assert [entry["note"] for entry in other.bookmarks] == ["one", "two"]

    def test_the_page_sets_whole_ones_only(self, make):
        explorer = done(make())
        comm = StubComm(explorer)
        good = [{"layer": "conv1_relu", "note": "<img src=x onerror=alert(1)>"}]
        comm.page_sets(bookmarks=good)
        assert explorer.bookmarks[0]["note"] == good[0]["note"]
        for bad in ([{"layer": 3}], "x", [good[0]] * 201, [{**good[0], "html": ""}]):
            comm.page_sets(bookmarks=bad)
            assert len(explorer.bookmarks) == 1
            assert comm.page_has()["bookmarks"] == explorer.bookmarks

    def test_with_nothing_on_show_there_is_nothing_to_keep(self, make):
        explorer = make(image=None)
        for layer in ("", "conv1_relu"):
            explorer.layer = layer
            with pytest.raises(RuntimeError, match=r"nothing to keep.*explorer\.wait\(\)"):
                explorer.add_bookmark()

    def test_what_a_map_may_not_have_is_refused(self, make):
        explorer = done(make())
        entry = {"layer": "conv1_relu", "colours": {"colormap": "jet", "channel": 3, "x": 1}}
        before = explorer.layer
        with pytest.raises(traitlets.TraitError, match="colormap"):
            explorer.replay(entry)
        assert (explorer.map.colormap, explorer.layer) == ("auto", before)
