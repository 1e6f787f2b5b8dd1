"""How an explorer looks at photos: what it waits for, what replaces what, and what edits change."""

import io
import threading

import keras
import numpy as np
import pytest
import test_explorer
from PIL import Image
from stub_comm import StubComm
from test_explorer import LONG, PHOTO, done, network
from test_explorer_hands import OTHER, until

import resnet_widgets as rw
from resnet_widgets import looking
from resnet_widgets.drawing import figure_of
from resnet_widgets.engine.regions import region_channels, strongest
from resnet_widgets.explain import Mute, Scale
from resnet_widgets.photos import Photo

make, model = test_explorer.make, test_explorer.model
SOON = 5  # seconds; reached only by what waits for itself


@pytest.fixture
def hold():
    """Keeps the thread of an explorer busy until it is set."""
    go_on = threading.Event()

    def hold(explorer):
        started = threading.Event()
        explorer._jobs.worker.submit(lambda task: (started.set(), go_on.wait(LONG)))
        assert started.wait(LONG)
        return go_on

    yield hold
    go_on.set()


def sure_of_class_0():
    model = network()
    head = model.layers[-1]
    head.set_weights([head.kernel, np.array([99, 0, 0, 0])])
    return model


def answers(explorer, image=PHOTO):
    return [[p.label, p.probability] for p in explorer.cache.predictions(image)]


def test_edits_hold_outside_the_page_too(make):
    explorer = done(make(layer="conv3_block1_out"))
    explorer.edits = [Scale("conv1_relu", range(6), -2)]
    explorer.wait(np.inf)
    run = explorer.cache.run(PHOTO, explorer.edits)
    expected = run.activation(explorer.layer)
    np.testing.assert_array_equal(explorer.selected_array, expected[..., explorer.channel])
    strip = rw.plot_stages(explorer.cache, run).axes[3].images[0].get_array()
    np.testing.assert_array_equal(strip, expected[..., strongest(expected)])
    explorer.region = [0.25, 0, 0.75, 0.5]
    assert explorer.region_channels(4) == region_channels(expected, explorer.region, 4)
    figure = figure_of(explorer)
    large = figure.axes[1].images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(large, expected[..., explorer.channel])
    bars = next(axes for axes in figure.axes if axes.get_title(loc="left") == "prediction")
    shares = [score.probability for score in run.scores(4)]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(shares)
    assert explorer.edits[0].name in figure.texts[1].get_text()


def test_new_weights_are_followed_through_two_quick_changes_of_the_layer(make, monkeypatch):
    explorer = done(make(model=network()))
    head = explorer.cache.model.layers[-1]
    head.set_weights([head.kernel, np.array([3, 0, 0, 0])])
    started, go_on = threading.Event(), threading.Event()
    real = explorer.cache.predictions
    monkeypatch.setattr(
        explorer.cache,
        "predictions",
        lambda image: (started.set(), go_on.wait(LONG), real(image))[-1],
    )
    explorer.layer = "conv1_relu"
    assert started.wait(LONG)
    explorer.layer = "conv1_conv"
    go_on.set()
    expected = answers(explorer)
    until(explorer, "predictions", lambda shown: shown == expected)


def test_edits_of_a_bookmark_are_shown_where_its_photo_is_not_here(make, hold):
    explorer = done(make())
    go_on = hold(explorer)
    edits = [Mute("conv1_relu", 1)]
    entry = {"layer": "conv1_relu", "photo": "far.jpg", "digest": "00 11"}
    explorer.replay({**entry, "edits": [edit.to_dict() for edit in edits]})
    go_on.set()
    explorer.wait(LONG)
    assert explorer.photo == explorer.cache.key(explorer.cache.run(PHOTO, edits))
    until(explorer, "error", lambda error: "'far.jpg'" in error and "not here" in error)


@pytest.mark.parametrize("is_here", [True, False])
def test_both_photos_of_a_bookmark_are_said_to_be_missing(make, hold, is_here):
    explorer = done(make())
    name = explorer.picker.samples[0]
    digest = rw.load_image(looking_path(explorer, name), (32, 32)).digest
    first = {"photo": name, "digest": digest} if is_here else {"photo": "a.jpg", "digest": "00"}
    second = {"compare": "b.jpg", "compare_digest": "11"}
    for _ in range(2):
        go_on = hold(explorer)
        explorer.replay({"layer": "conv1_relu", **first, **second})
        go_on.set()
        until(explorer, "error", lambda error: error.count("second photo 'b.jpg'") == 1)
        if is_here:
            until(explorer, "photo", lambda photo: photo == digest)
        else:
            until(explorer, "error", lambda error: error.count("The photo 'a.jpg'") == 1)
        assert explorer.error.count("b.jpg") == 1
        go_on.clear()
    explorer.replay({"layer": "conv1_relu", "digest": explorer.photo})
    assert explorer.error == ""


class TestPhotosThatAreKept:
    def test_knobs_do_not_push_photos_out(self, make, monkeypatch):
        monkeypatch.setattr("resnet_widgets.photos._MOST", 2)
        explorer = done(make())
        first = explorer.photo
        explorer.image = OTHER
        second = explorer.wait(LONG).photo
        for factor in range(2, 8):
            explorer.edits = [Scale("conv1_relu", 0, factor)]
            explorer.wait(LONG)
        kept = list(explorer._photos.all())
        assert kept[0] == first and second in kept and kept[-1] == explorer.photo
        assert len(kept) == 4
        explorer.edits = []
        explorer.image = PHOTO[::-1]
        explorer.wait(LONG)
        # The oldest photo went, and no version of the other.
        assert first not in explorer._photos.all() and second in explorer._photos.all()

    def test_a_photo_that_was_only_seen_edited_keeps_its_picture(self, make):
        explorer = done(make())
        explorer.edits = [Mute("conv1_relu", 1)]
        explorer.image = OTHER
        edited = explorer.wait(LONG).photo
        explorer.edits, explorer.image = [], PHOTO
        explorer.wait(LONG)
        explorer.replay({"layer": "conv1_relu", "digest": edited.partition(" ")[0]})
        explorer.wait(LONG)
        assert explorer.picture["size"] == [40, 40]

    def test_going_back_to_an_edit_of_the_photo_on_show_keeps_the_photo(self, make):
        explorer = done(make())
        image = explorer.image
        explorer.edits = [Mute("conv1_relu", 1)]
        edited = explorer.wait(LONG).photo
        explorer.edits = []
        explorer.wait(LONG)
        explorer.replay({"layer": "conv1_relu", "digest": edited})
        assert explorer.image is image
        assert explorer.edits == [Mute("conv1_relu", 1)]


class TestColumns:
    def test_may_be_any_layers_from_the_start(self, make):
        explorer = make(image=None)
        explorer.stages.layers = ["conv2_block1_add", "conv1_conv"]
        explorer.image = PHOTO
        assert explorer.wait(LONG).predictions == answers(explorer)
        assert explorer.stages.channels == [0, 0]

    def test_of_one_layer_are_drawn_each_with_its_channel(self, make):
        explorer = done(make())
        explorer.stages.layers = ["conv1_relu"] * 2
        explorer.stages.channels = [1, 2]
        below = [axes.get_xlabel() for axes in figure_of(explorer).axes]
        columns = [text.splitlines()[1] for text in below if text.startswith("conv1_relu")]
        assert [text.partition(":")[0] for text in columns] == ["ch 1", "ch 2"]

    def test_that_a_hand_has_set_stay_so_with_the_next_photo(self, make):
        explorer = done(make())
        assert any(explorer.stages.channels)
        explorer.stages.channels = [0, 0, 0]
        explorer.image = OTHER
        assert explorer.wait(LONG).stages.channels == [0, 0, 0]


class TestTheNewestRequestWins:
    def test_over_a_picture_that_is_still_opened(self, make, monkeypatch):
        explorer = done(make())
        started, go_on = threading.Event(), threading.Event()
        real = looking.load_image
        monkeypatch.setattr(
            looking, "load_image", lambda *a: (started.set(), go_on.wait(LONG), real(*a))[-1]
        )
        name = explorer.picker.samples[0]
        StubComm(explorer.picker).page_sends({"kind": "sample", "name": name})
        assert started.wait(LONG)
        explorer.image = OTHER
        go_on.set()
        explorer.wait(LONG)
        assert explorer.image.source != name
        until(explorer.picker, "busy", lambda busy: not busy)

    def test_over_a_sample_that_is_still_looked_for(self, make, monkeypatch):
        explorer = done(make())
        name = explorer.picker.samples[0]
        digest = rw.load_image(looking_path(explorer, name), (32, 32)).digest
        started, go_on = threading.Event(), threading.Event()
        real = looking.load_image
        monkeypatch.setattr(
            looking, "load_image", lambda *a: (started.set(), go_on.wait(LONG), real(*a))[-1]
        )
        StubComm(explorer).page_sends({"kind": "show", "photo": digest, "name": name})
        assert started.wait(LONG)
        explorer.image = OTHER
        go_on.set()
        explorer.wait(LONG)
        assert explorer.image.source != name

    def test_a_pick_that_never_runs_is_not_busy(self, make, hold):
        explorer = done(make())
        go_on = hold(explorer)
        name = explorer.picker.samples[0]
        StubComm(explorer.picker).page_sends({"kind": "sample", "name": name})
        assert explorer.picker.busy
        explorer._handle_custom_msg({"kind": "cancel"}, [])
        assert not explorer.picker.busy
        go_on.set()

    def test_a_second_pick_keeps_the_picker_busy(self, make, hold):
        explorer = done(make())
        go_on, comm = hold(explorer), StubComm(explorer.picker)
        for name in explorer.picker.samples[:2]:
            comm.page_sends({"kind": "sample", "name": name})
        assert explorer.picker.busy
        go_on.set()
        until(explorer.picker, "busy", lambda busy: not busy)


class TestAChannelThatALayerDoesNotHave:
    """The explorer shows channel 5, and then a layer of four."""

    def test_is_never_shown(self, make, hold):
        explorer = done(make())
        explorer.channel, explorer.map.blend = 5, 0.5
        go_on, comm = hold(explorer), StubComm(explorer)
        comm.page_sets(layer="predictions", cursor=[0, 0, 0.5, 0.5])
        assert (explorer.channel, explorer.slider.value) == (3, 3)
        # It goes to the strongest by itself, and may have moved on with what it has said.
        assert not {"channel", "cursor"} & set(comm.page_has())
        explorer._handle_custom_msg({"kind": "cancel"}, [])
        go_on.set()
        assert explorer.wait(LONG).channel == 3
        figure_of(explorer)

    @pytest.mark.parametrize("channel", range(4))
    def test_gives_way_to_one_that_is_chosen_meanwhile(self, make, hold, channel):
        explorer = done(make(model=sure_of_class_0()))
        explorer.channel = 5
        go_on, comm = hold(explorer), StubComm(explorer)
        comm.page_sets(layer="predictions")
        comm.page_sets(channel=channel)
        go_on.set()
        assert explorer.wait(LONG).channel == channel

    def test_is_made_known_where_a_layer_follows_that_has_it(self, make, hold):
        explorer = done(make())
        explorer.channel = 5
        go_on, comm = hold(explorer), StubComm(explorer)
        comm.page_sets(layer="predictions")
        assert "channel" not in comm.page_has()
        explorer.layer = "conv1_relu"
        assert comm.page_has()["channel"] == explorer.channel == 3
        go_on.set()

    def test_is_made_known_where_it_is_chosen(self, make, hold):
        explorer = done(make())
        explorer.channel = 5
        go_on, comm = hold(explorer), StubComm(explorer)
        comm.page_sets(layer="predictions")
        explorer.channel = 3
        assert comm.page_has()["channel"] == 3
        go_on.set()

    @pytest.mark.parametrize("name", ["layer", "channel"])
    def test_keeps_nobody_waiting_who_hears_of_the_other(self, make, name):
        explorer, heard = done(make(model=sure_of_class_0())), []
        explorer.channel = 5
        explorer.observe(lambda change: heard.append(explorer.wait(SOON).channel), name)
        StubComm(explorer).page_sets(layer="predictions")
        assert explorer.wait(LONG).channel == heard[-1] == 0
        assert not explorer.error


def test_a_photo_can_be_waited_for_by_who_hears_the_page(make, hold):
    explorer, heard = done(make()), []
    go_on = hold(explorer)
    explorer.image = OTHER
    listen = lambda change: (go_on.set(), heard.append(explorer.wait(SOON).predictions))  # noqa: E731
    explorer.observe(listen, "layer")
    StubComm(explorer).page_sets(layer="conv1_relu")
    assert heard == [answers(explorer, OTHER)]


def test_what_comes_later_cannot_be_waited_for_where_it_would_be_computed(make, hold):
    explorer = done(make(model=sure_of_class_0()))
    explorer.channel = 5
    go_on = hold(explorer)
    explorer.layer = "predictions"

    def look_and_wait(change):
        explorer.image = OTHER
        explorer.wait(SOON)

    explorer.observe(look_and_wait, "channel")
    go_on.set()
    until(explorer, "error", lambda error: "observer" in error)
    explorer.unobserve_all("channel")
    assert explorer.wait(LONG).predictions == answers(explorer, OTHER)


def looking_path(explorer, name):
    return explorer._looking._samples[name]


class TestWait:
    def test_says_at_once_why_a_photo_cannot_be_shown(self, make, model):
        def preprocess(pixels):
            raise ArithmeticError("no such pixels")

        explorer = make(cache=rw.ActivationCache(model, preprocess=preprocess))
        with pytest.raises(RuntimeError, match="could not be shown: no such pixels") as caught:
            explorer.to_png(timeout=LONG)
        assert isinstance(caught.value.__cause__, ArithmeticError)

    def test_says_at_once_that_edits_do_not_fit(self, make, monkeypatch, model):
        from resnet_widgets.engine import models

        go_on = threading.Event()
        monkeypatch.setattr(models, "load_model", lambda *a, **k: go_on.wait(LONG) and model)
        explorer = make()
        explorer.edits = [Mute("conv9", 1)]
        go_on.set()
        with pytest.raises(RuntimeError, match="No such layer"):
            explorer.wait(LONG)
        # What failed before does not stand in the way of what is good.
        explorer.edits = []
        assert explorer.wait(LONG).predictions == answers(explorer)

    def test_ends_with_a_first_look_that_is_cancelled(self, make, model, monkeypatch):
        started, waiting, go_on = threading.Event(), threading.Event(), threading.Event()

        def preprocess(pixels):
            started.set()
            assert go_on.wait(LONG)
            return pixels

        explorer = make(cache=rw.ActivationCache(model, preprocess=preprocess))
        assert started.wait(LONG)
        follow = explorer._looking.follow_weights
        monkeypatch.setattr(
            explorer._looking, "follow_weights", lambda: (follow(), waiting.set())[0]
        )

        def cancel():
            assert waiting.wait(LONG)
            explorer._handle_custom_msg({"kind": "cancel"}, [])
            go_on.set()

        threading.Thread(target=cancel).start()
        with pytest.raises(RuntimeError, match="cancelled"):
            explorer.wait(LONG)
        # Who asks again gets it.
        assert explorer.wait(LONG).predictions == answers(explorer)

    def test_waits_for_what_refresh_computes(self, make):
        explorer = done(make(model=network()))
        head = explorer.cache.model.layers[-1]
        head.set_weights([head.kernel, np.array([3, 0, 0, 0])])
        explorer.refresh()
        assert explorer.wait(LONG).predictions == answers(explorer)

    def test_sees_new_weights_by_itself(self, make):
        explorer = done(make(model=network()))
        head = explorer.cache.model.layers[-1]
        head.set_weights([head.kernel, np.array([3, 0, 0, 0])])
        assert explorer.wait(LONG).predictions == answers(explorer)

    def test_waits_for_the_second_photo(self, make, hold):
        explorer = done(make())
        go_on = hold(explorer)
        explorer.compare = OTHER
        with pytest.raises(TimeoutError):
            explorer.wait(0.01)
        go_on.set()
        assert explorer.wait(LONG).compare_photo == explorer.compare.digest

    def test_waits_for_the_photo_of_a_bookmark(self, make, hold):
        explorer = done(make())
        name = explorer.picker.samples[0]
        digest = rw.load_image(looking_path(explorer, name), (32, 32)).digest
        go_on = hold(explorer)
        explorer.replay({"layer": "conv1_relu", "photo": name, "digest": digest})
        with pytest.raises(TimeoutError):
            explorer.wait(0.01)
        go_on.set()
        assert explorer.wait(LONG).photo == digest

    def test_can_be_asked_from_the_thread_that_has_just_finished(self, make):
        explorer, found = make(), []
        explorer.observe(lambda change: change.new or found.append(explorer.wait(1)), "status")
        explorer.wait(LONG)
        assert found


def test_a_page_that_asks_again_for_a_frame_waits_for_the_same_one(make, hold):
    explorer = done(make())
    go_on = hold(explorer)
    explorer.cache.clear()
    first, again = (explorer._serving.frame(explorer.photo, "conv1_conv") for _ in range(2))
    assert first is again
    other = explorer._serving.frame(explorer.photo, "conv1_relu")
    assert other is not first
    go_on.set()
    assert first.result(LONG).shape == (32, 32, 6)
    other.result(LONG)
    explorer.cache.clear()
    assert explorer._serving.frame(explorer.photo, "conv1_conv") is not first


def test_the_picture_for_why_is_made_only_when_it_is_asked_for(make, monkeypatch):
    explorer, made = done(make()), []
    monkeypatch.setattr(Photo, "seen", lambda photo: made.append(photo) or b"jpeg")
    _, _, picture = explorer._looking.looked_at()
    assert made == []
    assert picture() == b"jpeg"


@pytest.mark.parametrize("shape", [(2, 5000), (5000, 2)])
def test_of_the_longest_photo_a_pixel_is_shown_in_why(shape):
    photo = Photo.of(rw.load_image(np.full((*shape, 3), 90, np.uint8), (32, 32)))
    assert Image.open(io.BytesIO(photo.seen())).size == (1, 1)


def test_what_is_traced_ahead_goes_on_with_the_photo_after_cancel(make, monkeypatch):
    explorer, traced = done(make()), []

    def look_at(image):
        explorer.image = image
        explorer.wait(LONG)
        explorer._jobs.submit(lambda task: None, "after").result(LONG)

    look_at(OTHER)
    monkeypatch.setattr(explorer._serving, "trace_ahead", traced.append)
    look_at(PHOTO)
    assert traced == []
    explorer._handle_custom_msg({"kind": "cancel"}, [])
    look_at(OTHER)
    assert len(traced) == 1


def test_the_saved_picture_follows_a_photo_where_there_is_no_classifier(make, model, monkeypatch):
    output = model.get_layer("conv3_block1_out").output
    explorer, drawn = make(model=keras.Model(model.inputs, output)).wait(LONG), []
    monkeypatch.setattr(
        explorer._still, "refresh", lambda: drawn.append(explorer._looking.is_done())
    )
    explorer.image = OTHER
    explorer.wait(LONG)
    assert any(drawn)
    drawn.clear()
    explorer.stages.layers = explorer.stages.layers[::-1]
    assert any(drawn)


def test_the_strongest_channel_is_that_of_the_finite_cells():
    cells = np.array([[1, 5, np.nan], [2, np.nan, np.nan], [3, np.inf, np.nan]], np.float32)
    assert strongest(cells) == 1
    assert strongest(-cells) == 0
    assert strongest(np.full((2, 2, 3), np.nan)) == 0


def test_closing_lets_labelled_photos_go(make):
    explorer = make()
    explorer._explainer.labelled = object()
    explorer.close()
    assert explorer._explainer.labelled is None


def test_to_try_again_twice_is_as_once(make, monkeypatch, model):
    from resnet_widgets.engine import models

    explorer = make(model="no such model")
    until(explorer, "stopped", bool)
    started, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(
        models,
        "load_model",
        lambda *a, **k: (started.set(), go_on.wait(LONG), model)[-1],
    )
    explorer._handle_custom_msg({"kind": "retry"}, [])
    assert started.wait(LONG)
    explorer._handle_custom_msg({"kind": "retry"}, [])
    go_on.set()
    done(explorer)
    assert not explorer.stopped
