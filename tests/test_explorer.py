"""The explorer without a page: what it does in the background, what a page may do to it."""

import dataclasses
import functools
import gc
import sys
import threading
import weakref
from types import SimpleNamespace

import ipywidgets
import keras
import numpy as np
import pytest
import traitlets
from stub_comm import StubComm

import resnet_widgets as rw
from resnet_widgets import explorer_parts, looking, serving
from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.engine.images import ImageError
from resnet_widgets.explain import Erase, Mute, Scale, Solo
from resnet_widgets.widgets._base import Widget, traits_lock

LONG = 30  # seconds; reached only by a test that fails
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def network():
    """Two stages of residual blocks with Keras' names, and a classifier: traced in no time."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", name="conv1_conv")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage, block in ((2, 1), (2, 2), (3, 1)):
        name = f"conv{stage}_block{block}"
        strides = 2 if block == 1 else 1
        shortcut = keras.layers.Conv2D(6, 1, strides=strides, name=f"{name}_0_conv")(x)
        x = keras.layers.Conv2D(6, 3, strides=strides, padding="same", name=f"{name}_1_conv")(x)
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, keras.layers.Dense(4, "softmax", name="predictions")(x))


def open_widgets():
    """All our widgets that are not closed: ipywidgets keeps them alive."""
    opened = ipywidgets.widgets.widget._instances.values()
    return [widget for widget in opened if isinstance(widget, Widget)]


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture
def make(model):
    made = []

    def make(image=PHOTO, model=model, **kwargs):
        made.append(rw.Explorer(image, model, **kwargs))
        return made[-1]

    yield make
    for explorer in made:
        explorer.close()


def done(explorer):
    """Waits until photo and predictions are there."""
    explorer.result = threading.Event()
    ready = lambda: bool(explorer.predictions) and not explorer.status  # noqa: E731
    explorer.observe(lambda change: ready() and explorer.result.set(), ["status", "predictions"])
    assert ready() or explorer.result.wait(LONG), (explorer.status, explorer.error)
    return explorer


def ask(explorer, layer, photo=None):
    """The answer of the store to a page that wants a frame."""
    answers, answered = [], threading.Event()
    explorer.store.send = lambda content, buffers=None: (
        answers.append((content, buffers)),
        answered.set(),
    )
    photo = explorer.photo if photo is None else photo
    explorer.store._handle_custom_msg({"kind": "want", "id": 7, "photo": photo, "layer": layer}, [])
    assert answered.wait(LONG)
    return answers[0]


def test_it_ends_with_a_photo_a_layer_and_predictions(make):
    explorer = done(make())
    assert explorer.layer == "conv2_block2_out"
    assert explorer.error == ""
    assert explorer.picture["size"] == [40, 60]
    assert explorer.picture["box"] == [10, 0, 50, 40]
    assert explorer.about["size"] == [32, 32]
    assert [row["path"] for row in explorer.tree.layers] == [r.path for r in explorer.cache.layers]
    assert explorer.stages.layers == ["conv1_relu", "conv2_block2_out", "conv3_block1_out"]
    expected = explorer.cache.predictions(PHOTO)
    assert explorer.predictions == [[p.label, p.probability] for p in expected]
    assert 0 < explorer.memory["nbytes"] <= explorer.memory["max_bytes"]
    for child in (explorer.map, explorer.grid, explorer.slider, explorer.stages):
        assert child.photo == explorer.photo


def test_paths_of_nested_models_may_be_long(make, model):
    inner = keras.Model(model.inputs, model.outputs, name="n" * 2000)
    explorer = done(make(model=keras.Sequential([keras.Input((32, 32, 3)), inner])))
    path = "n" * 2000 + "/conv1_relu"
    assert (explorer.stages.layers[0], explorer.error) == (path, "")
    StubComm(explorer).page_sets(layer=path, bookmarks=[{"layer": path}])
    assert [explorer.layer, explorer.bookmarks[0]["layer"]] == [path, path]
    assert ask(explorer, path)[0]["kind"] == "frame"


def test_the_first_channel_is_the_strongest(make):
    explorer = done(make())
    means = explorer.cache.activation(PHOTO, explorer.layer).mean(axis=(0, 1))
    assert explorer.channel == means.argmax()
    stages = explorer.cache.stages(PHOTO)
    strongest = [int(stages[p].mean(axis=(0, 1)).argmax()) for p in explorer.stages.layers]
    assert explorer.stages.channels == strongest


def test_it_is_there_before_the_model(make, monkeypatch):
    go_on = threading.Event()
    from resnet_widgets.engine import models

    real = models.load_model
    monkeypatch.setattr(models, "load_model", lambda *a, **k: (go_on.wait(LONG), real(*a, **k))[1])
    explorer = make()
    assert explorer.status
    assert explorer.photo == ""
    assert explorer.cache is None
    explorer.layer = "conv9"
    go_on.set()
    done(explorer)
    # Only now it can be known that there is no such layer.
    assert explorer.layer == "conv2_block2_out"
    assert "Received: layer='conv9'" in explorer.error


def test_what_is_closed_while_it_works_lets_its_activations_go_at_once(make):
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            explorer, looked, gone = make(), threading.Event(), threading.Event()
            explorer.observe(lambda change, looked=looked: looked.set(), "predictions")
            assert explorer.predictions or looked.wait(LONG)
            weakref.finalize(explorer.cache._store, gone.set)
            explorer.close()
            assert not explorer._looking._newest
            assert gone.wait(LONG), "something keeps the cache until Python looks for cycles"
    finally:
        gc.enable()


def test_all_pieces_are_traced_ahead(make):
    explorer = done(make())
    traced = threading.Event()
    paths = {layer.path for layer in explorer.cache.layers}
    explorer.tree.observe(lambda change: set(change.new) == paths and traced.set(), "cached")
    assert set(explorer.tree.cached) == paths or traced.wait(LONG)
    assert explorer.tree.computing == ""


class Timers:
    """In place of `threading`: the timers that were started, which end when a test says so."""

    def __init__(self):
        self.pending = []

    def Timer(self, pause, tell, args):
        timer = SimpleNamespace(pause=pause, end=lambda: tell(*args))
        timer.start = lambda: self.pending.append(timer)
        timer.cancel = lambda: timer in self.pending and self.pending.remove(timer)
        return timer


@pytest.fixture
def timers(monkeypatch):
    timers = Timers()
    monkeypatch.setattr(serving, "threading", timers)
    return timers


def hold_computation(explorer, monkeypatch):
    """Nothing is in the cache, and a computation takes until the second event is set."""
    begun, may_end = threading.Event(), threading.Event()
    compute = explorer.cache.activation

    def take_long(*of):
        begun.set()
        assert may_end.wait(LONG)
        return compute(*of)

    monkeypatch.setattr(explorer.cache, "peek", lambda *of: None)
    monkeypatch.setattr(explorer.cache, "activation", take_long)
    return begun, may_end


def test_a_page_hears_what_is_computed_only_if_it_takes_long(make, monkeypatch, timers):
    explorer, told = done(make()), []
    explorer.tree.observe(lambda change: told.append(change.new), "computing")
    begun, may_end = hold_computation(explorer, monkeypatch)
    may_end.set()
    for path in ("conv3_block1_1_conv", "conv3_block1_add"):
        assert explorer._serving.frame(explorer.photo, path).result(LONG)
    (quiet,) = timers.pending
    assert quiet.pause == serving._LATER, "what is cached is said once nothing is computed"

    begun.clear(), may_end.clear()
    frame = explorer._serving.frame(explorer.photo, "conv3_block1_add")
    assert begun.wait(LONG)
    quiet.end()
    assert told == [], "what was to be said before says nothing of what has just begun"
    (slow,) = timers.pending
    assert slow.pause == serving._LATER
    slow.end()
    assert told == ["conv3_block1_add"]
    may_end.set()
    assert frame.result(LONG).layer == "conv3_block1_add"
    (over,) = timers.pending
    assert over.pause == 0
    slow.end()
    assert told == ["conv3_block1_add", ""], "and what comes too late sets no mark"
    explorer.close()
    assert timers.pending == []
    over.end()
    assert told == ["conv3_block1_add", ""]


def test_a_mark_is_read_and_set_at_once(make, timers):
    explorer, told = done(make()), []
    explorer.tree.observe(lambda change: told.append(change.new), "computing")
    serve = explorer._serving
    serve._work_on("conv1_relu")
    late = threading.Thread(target=timers.pending[0].end)
    with traits_lock:
        late.start()
        # What it would say is over before it may say it.
        late.join(0.05)
        serve._work_on("")
    late.join(LONG)
    assert told == []


def test_a_mark_that_cannot_be_told_fails_no_frame(make, monkeypatch):
    explorer = done(make())

    def start(timer):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    hold_computation(explorer, monkeypatch)[1].set()
    with monkeypatch.context() as ending:
        ending.setattr(threading.Timer, "start", start)
        assert explorer._serving.frame(explorer.photo, "conv1_relu").result(LONG)


def test_a_frame_that_is_asked_for_comes_before_what_a_new_layer_needs(make, monkeypatch):
    explorer, order = done(make()), []
    explorer.channel = 5
    begun, may_end = hold_computation(explorer, monkeypatch)
    held = explorer._serving.frame(explorer.photo, "conv1_relu")
    assert begun.wait(LONG)
    follow, strongest = looking.Looking._follow_weights, looking.strongest
    note = lambda name, function: lambda *of: (order.append(name), function(*of))[1]  # noqa: E731
    monkeypatch.setattr(looking.Looking, "_follow_weights", note("weights", follow))
    monkeypatch.setattr(looking, "strongest", note("channel", strongest))
    frame = explorer._serving.frame(explorer.photo, "predictions")
    frame.add_done_callback(lambda _: order.append("frame"))
    explorer.layer = "predictions"
    assert explorer._is_channel_unsaid
    may_end.set()
    held.result(LONG)
    explorer.wait(LONG)
    explorer._jobs.worker.submit(lambda task: None, kind="rest", when_idle=True).result(LONG)
    assert order[0] == "frame"
    assert set(order) == {"frame", "weights", "channel"}


def test_frames_are_the_activations(make):
    explorer = done(make())
    header, buffers = ask(explorer, "conv3_block1_1_conv")
    assert header["kind"] == "frame"
    assert header["shape"] == [8, 8, 6]
    expected = rw.Frame.from_activation(explorer.cache.activation(PHOTO, "conv3_block1_1_conv"))
    assert bytes(buffers[0]) == expected.to_message()[1]


@pytest.mark.parametrize(
    ("edit", "muted"),
    [
        (Mute("conv1_relu", [1, 4]), [1, 4]),
        (Solo("conv1_relu", [2]), [0, 1, 3, 4, 5]),
        (Scale("conv1_relu", [3], 0), [3]),
        (Scale("conv1_relu", [3], 2), []),
        (Erase("conv1_relu", (0, 0, 1, 1), [5]), [5]),
        (Erase("conv1_relu", (0, 0, 1, 1)), [0, 1, 2, 3, 4, 5]),
        (Erase("conv1_relu", (0, 0, 0.5, 1)), []),
    ],
)
def test_a_frame_names_the_channels_that_edits_set_to_zero(make, edit, muted):
    explorer = done(make())
    explorer.edits = [edit]
    explorer.wait(LONG)
    assert ask(explorer, "conv1_relu")[0]["muted"] == muted
    assert ask(explorer, "conv2_block1_out")[0]["muted"] == []


def test_a_large_frame_travels_reduced(make, monkeypatch):
    explorer = done(make())
    monkeypatch.setattr(serving, "_MOST_BYTES", 32 * 32 * 6 - 1)
    header, [buffer] = ask(explorer, "conv1_relu")
    assert (header["shape"], header["reduction"]) == ([32, 32, 6], 2)
    assert len(buffer) == 6 * (16 + 16 * 16)


def test_layers_in_the_cache_are_answered_without_the_worker(make, monkeypatch):
    explorer = done(make())
    monkeypatch.setattr(explorer._jobs.worker, "submit", None)
    assert ask(explorer, "conv2_block1_out")[0]["kind"] == "frame"


def test_wants_that_cannot_be_met_get_an_error(make):
    explorer = done(make())
    assert "no longer in memory" in ask(explorer, "conv1_relu", photo="gone")[0]["message"]
    assert "Did you mean" in ask(explorer, "conv1_rleu")[0]["message"]


def test_another_photo(make):
    explorer = done(make())
    first = explorer.photo
    explorer.predictions = []
    explorer.image = PHOTO[::-1]
    done(explorer)
    assert explorer.photo != first
    assert explorer.map.photo == explorer.photo
    # The page may still show frames of the first one.
    assert ask(explorer, "conv1_relu", photo=first)[0]["kind"] == "frame"


def test_photos_are_forgotten_in_the_end(make, monkeypatch):
    monkeypatch.setattr("resnet_widgets.photos._MOST", 1)
    explorer = done(make())
    first, forgotten = explorer.photo, []
    explorer.store.forget = forgotten.append
    explorer.predictions = []
    explorer.image = PHOTO[::-1]
    done(explorer)
    assert forgotten == [first]


def test_bad_photos_are_refused_at_once_and_change_nothing(make):
    widgets = len(open_widgets())
    with pytest.raises(FileNotFoundError, match=r"nothing\.jpg"):
        rw.Explorer("nothing.jpg", model=network())
    for bad in ({"typo": 1}, {"compare": "nothing.jpg"}, {"bookmarks": 3}):
        with pytest.raises((TypeError, FileNotFoundError, ValueError, traitlets.TraitError)):
            rw.Explorer(PHOTO, model=network(), **bad)
    assert len(open_widgets()) == widgets
    explorer = done(make())
    before = explorer.image
    with pytest.raises(ImageError):
        explorer.image = np.zeros((0, 3, 3))
    assert explorer.image is before


def test_layers_that_do_not_exist_are_refused(make):
    explorer = done(make())
    with pytest.raises(ValueError, match="Did you mean 'conv1_relu'"):
        explorer.layer = "conv1_rleu"
    assert explorer.layer == "conv2_block2_out"
    explorer = done(make(layer="conv9"))
    assert "Received: layer='conv9'" in explorer.error
    assert explorer.layer == "conv2_block2_out"
    assert done(make(layer="conv1_conv")).layer == "conv1_conv"


def test_what_is_set_before_the_model_is_there_holds_if_it_can(make):
    explorer = make(image=None)
    explorer.layer, explorer.channel = "conv1_relu", 2
    explorer.image = PHOTO
    done(explorer)
    assert (explorer.layer, explorer.channel) == ("conv1_relu", 2)
    assert explorer.error == ""


@pytest.mark.parametrize("chosen", ["", "later", "at once"])
def test_the_first_channel_is_the_strongest_unless_that_is_chosen_also_0(make, chosen):
    explorer = make(image=None, **({"channel": 0} if chosen == "at once" else {}))
    until_idle(explorer)
    explorer.layer = "conv3_block1_out"
    if chosen == "later":
        explorer.channel = 0
    explorer.image = PHOTO
    explorer.wait(LONG)
    best = looking.strongest(explorer.cache.activation(PHOTO, explorer.layer))
    assert best != 0
    assert explorer.channel == (0 if chosen else best)


def test_channels_are_clamped(make):
    explorer = done(make())
    explorer.channel = 99
    assert explorer.channel == 5
    explorer.channel = -3
    assert explorer.channel == 0


def test_a_channel_that_the_new_layer_has_stays_else_it_is_the_strongest(make):
    explorer = done(make())
    explorer.channel = 3
    explorer.layer = "predictions"
    assert explorer.wait(LONG).channel == 3
    explorer.layer, explorer.channel = "conv2_block2_out", 5
    explorer.layer = "predictions"
    expected = explorer.cache.activation(PHOTO, "predictions").argmax()
    assert explorer.wait(LONG).channel == expected


def test_what_is_chosen_before_the_strongest_is_known_stays(make):
    explorer = done(make())
    explorer.channel = 5
    last = (explorer.cache.activation(PHOTO, "predictions").argmax() + 1) % 4
    with traits_lock:
        explorer.layer, explorer.channel = "predictions", last
    assert explorer.wait(LONG).channel == last


def until_idle(explorer):
    """Waits until there is a model, where there is no photo to wait for."""
    ready = threading.Event()
    explorer.observe(lambda change: change.new == "" and ready.set(), "status")
    assert explorer.status == "" or ready.wait(LONG)


def test_without_a_photo_a_channel_is_clamped_to_the_new_layer(make):
    explorer = make(image=None)
    until_idle(explorer)
    explorer.layer = "conv1_relu"
    explorer.channel = 5
    explorer.layer = "predictions"
    assert explorer.channel == 3


def test_a_layer_picked_while_a_photo_is_computed_stays(make, monkeypatch):
    explorer = done(make())
    real = explorer.cache.predictions

    def predictions(image):
        explorer.set_state({"layer": "conv1_relu", "channel": 2})
        return real(image)

    monkeypatch.setattr(explorer.cache, "predictions", predictions)
    explorer.predictions = []
    explorer.image = PHOTO[::-1]
    done(explorer)
    assert (explorer.layer, explorer.channel) == ("conv1_relu", 2)


def test_a_page_may_set_what_a_hand_can(make):
    explorer = done(make())
    explorer.set_state({"layer": "conv1_relu", "channel": 3, "cursor": [0, 0, 0.5, 0.5]})
    assert (explorer.layer, explorer.channel) == ("conv1_relu", 3)
    assert explorer.cursor == [0, 0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "value"),
    [("layer", "conv9"), ("photo", "x"), ("picture", {}), ("store", None), ("memory", {"a": 1})],
)
def test_a_page_gets_back_what_it_may_not_set(make, name, value):
    explorer = done(make())
    before, sent = getattr(explorer, name), []
    explorer.send_state = sent.append
    explorer.set_state({name: value})
    assert getattr(explorer, name) == before
    assert sent == [{name}]


def test_vectors_are_labelled_where_there_are_labels(make, model, monkeypatch):
    cache = ActivationCache(model)
    labels = ("cat", "dog", "frog", "ship")
    cache.about = SimpleNamespace(**{**vars(cache.about), "labels": labels})
    explorer = done(make(cache=cache))
    explorer.layer = "predictions"
    assert explorer.map.labels == list(labels)
    explorer.layer = "avg_pool"
    assert explorer.map.labels == []
    assert explorer.predictions[0][0] in labels


def test_errors_of_loading_are_shown_and_can_be_tried_again(make, tmp_path, model):
    path = tmp_path / "mine.keras"
    explorer = make(model=path)
    failed = threading.Event()
    explorer.observe(lambda change: failed.set(), "error")
    assert failed.wait(LONG)
    assert "mine.keras" in explorer.error
    assert isinstance(explorer.last_error, FileNotFoundError)
    stopped = threading.Event()
    explorer.observe(lambda change: stopped.set(), "stopped")
    assert explorer.stopped or stopped.wait(LONG)
    model.save(path)
    explorer._handle_custom_msg({"kind": "retry"}, [])
    done(explorer)
    assert explorer.error == ""


def test_loading_can_be_cancelled(make, monkeypatch, model):
    from resnet_widgets.engine import models

    loading = threading.Event()

    def load(name, progress):
        while True:
            loading.set()
            progress(0.5, "half")

    monkeypatch.setattr(models, "load_model", load)
    explorer = make(model="imagenet")
    assert loading.wait(LONG)
    stopped = threading.Event()
    explorer.observe(lambda change: stopped.set(), "stopped")
    explorer._handle_custom_msg({"kind": "cancel"}, [])
    assert stopped.wait(LONG)
    assert explorer.status == ""
    assert explorer.error == ""


def test_no_photo_is_fine(make):
    explorer = make(image=None)
    ready = threading.Event()
    explorer.observe(lambda change: change.new == "" and ready.set(), "status")
    assert explorer.status == "" or ready.wait(LONG)
    assert explorer.tree.layers
    assert (explorer.photo, explorer.layer) == ("", "")
    explorer.image = PHOTO
    done(explorer)


def test_a_picked_photo_is_looked_at(make):
    import io

    from PIL import Image

    explorer = done(make())
    explorer.predictions = []
    file = io.BytesIO()
    Image.fromarray(PHOTO[:, ::-1]).save(file, "PNG")
    explorer.picker._handle_custom_msg(
        {"kind": "photo", "name": "mine.png", "note": "reduced"}, [file.getvalue()]
    )
    done(explorer)
    assert explorer.image.source == "mine.png"
    assert explorer.picture["name"] == "mine.png"
    assert explorer.picture["notes"][0] == "reduced"


def test_a_sample_can_be_picked_again_once_another_photo_is_shown(make):
    explorer = done(make())
    for picker, trait in ((explorer.picker, "image"), (explorer.compare_picker, "compare")):
        name, opened = picker.samples[0], threading.Event()
        explorer.observe(lambda change, opened=opened: opened.set(), trait)
        picker._handle_custom_msg({"kind": "sample", "name": name}, [])
        assert opened.wait(LONG)
        assert getattr(explorer, trait).source == name
        assert picker.name == name
        setattr(explorer, trait, PHOTO)
        assert picker.name == ""


def test_a_picked_file_that_is_no_picture_is_an_error_and_the_photo_stays(make):
    explorer = done(make())
    photo, failed = explorer.photo, threading.Event()
    explorer.observe(lambda change: failed.set(), "error")
    explorer.picker._handle_custom_msg({"kind": "photo", "name": "mine.png"}, [b"<html>"])
    assert failed.wait(LONG)
    assert explorer.photo == photo
    assert not explorer.picker.busy
    explorer.image = PHOTO[::-1]
    assert explorer.error == ""


def test_the_page_gets_the_picture(make):
    import io

    from PIL import Image

    explorer = done(make())
    sent = []
    explorer.send = lambda content, buffers: sent.append((content, buffers))
    explorer._handle_custom_msg({"kind": "picture", "photo": explorer.photo}, [])
    explorer._handle_custom_msg({"kind": "picture", "photo": "gone"}, [])
    explorer._handle_custom_msg({"kind": "picture", "photo": ["?"]}, [])
    explorer._handle_custom_msg("what?", [])
    assert len(sent) == 1
    assert Image.open(io.BytesIO(sent[0][1][0])).size == (60, 40)


def test_a_cache_can_be_shared(make, model):
    cache = ActivationCache(model)
    first, second = done(make(cache=cache)), done(make(cache=cache))
    assert first.channel == second.channel > 0
    assert first.cache is second.cache is cache
    first.close()
    assert cache.activation(PHOTO, "conv1_relu").shape == (32, 32, 6)


def test_closing_gives_everything_back(make, model):
    explorer = done(make())
    cache = weakref.ref(explorer.cache)
    thread = explorer._jobs.worker.submit(lambda task: threading.current_thread()).result(LONG)
    children = [getattr(explorer, n) for n in explorer.traits(sync=True)]
    children = [child for child in children if isinstance(child, Widget)]
    children += [*explorer.stages.maps, *explorer.stages.sliders]
    assert len(children) == 9 + 2 * 3
    original = weakref.ref(explorer.image)
    explorer.close()
    thread.join(LONG)
    assert not thread.is_alive()
    assert cache() is None
    assert original() is None
    assert all(child.comm is None for child in children)


def test_what_the_others_read_from_is_closed_last(make):
    closed = []
    parts = {
        name: SimpleNamespace(close=functools.partial(closed.append, name))
        for name in make()._parts
    }
    explorer_parts.close_parts(parts)
    assert set(closed) == set(parts)
    assert closed[-1] == "store"


def test_what_is_closed_waits_for_no_lock_when_it_is_collected(make, model):
    # Python may collect it in a thread that holds what the owner of the lock waits for.
    explorer = make(PHOTO, model)
    explorer.close()
    collecting = threading.Thread(target=explorer.__del__, daemon=True)
    with traits_lock:
        collecting.start()
        collecting.join(20)
        assert not collecting.is_alive()


def test_closing_while_the_model_loads_leaves_nothing(make, monkeypatch, model):
    from resnet_widgets.engine import models

    loading, go_on = threading.Event(), threading.Event()

    def load(name, progress):
        loading.set()
        assert go_on.wait(LONG)
        return model

    monkeypatch.setattr(models, "load_model", load)
    explorer = make(model="mini")
    assert loading.wait(LONG)
    thread = explorer._jobs.worker._thread
    explorer.close()
    go_on.set()
    thread.join(LONG)
    assert explorer.cache is None
    assert explorer.stages.maps == []


def test_what_a_saved_notebook_says(make):
    explorer = done(make())
    assert "conv2_block2_out" in repr(explorer)
    assert "Run the cell" in explorer._repr_mimebundle_()[0]["text/plain"]
    explorer.image = dataclasses.replace(done(explorer).image, source="x" * 300)
    text = explorer._repr_mimebundle_()[0]["text/plain"]
    assert text.endswith(f"…, {explorer.layer}. Run the cell to bring it to life.")


def test_running_a_cell_again_closes_what_it_made_before(monkeypatch, model):
    shell = SimpleNamespace(
        execution_count=1, get_parent=lambda: {"metadata": {"cellId": "a-cell"}}
    )
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    first, beside = rw.explore(PHOTO, model), rw.explore(PHOTO, model)
    assert first.comm is not None
    shell.execution_count = 2
    second = rw.explore(PHOTO, model)
    assert first.comm is None
    assert beside.comm is None
    assert second.comm is not None
    second.close()


def test_the_parts_have_in_the_kernel_what_they_have_in_the_page_and_no_word_is_said(make):
    """A page that was cut off takes over all that the kernel has, from each part by itself."""
    explorer = make(layer="conv2_block1_out").wait()
    parts = {n: getattr(explorer, n) for n in ("tree", "map", "grid", "slider", "stages", "why")}
    comms = {name: StubComm(part) for name, part in parts.items()}
    box = [0.25, 0.25, 0.5, 0.5]
    chosen = {"layer": "conv3_block1_out", "channel": 4, "cursor": box, "region": box}
    StubComm(explorer).page_sets(**chosen)
    for name, bound in explorer_parts.BOUND.items():
        assert {part: getattr(parts[part], trait) for part, trait in bound.items()} == (
            dict.fromkeys(bound, chosen[name])
        )
        # An echo of theirs would come late, and win over what was chosen since.
        for part, trait in bound.items():
            assert parts[part].trait_metadata(trait, "echo_update") is False
    shared = {name for bound in explorer_parts.BOUND.values() for name in bound.values()}
    assert not any(shared & set(comm.page_has()) for comm in comms.values())


def test_a_layer_chosen_before_there_is_a_model_is_that_of_the_tree_as_well(make):
    explorer = make()
    explorer.layer = "conv2_block1_out"
    explorer.wait()
    assert [explorer.layer, explorer.tree.selected] == ["conv2_block1_out"] * 2


@pytest.mark.parametrize(
    "asked", [{"layer": "conv2_block2_out", "channel": 5}, {"channel": 4}, {"channel": 0}]
)
def test_what_is_asked_for_during_the_first_look_is_not_taken_back(make, monkeypatch, asked):
    strongest, looks, is_made = looking.strongest, [], threading.Event()

    def ask_meanwhile(activation):
        looks.append(activation)
        assert is_made.wait(LONG)
        if len(looks) == 1:
            explorer.update(**asked)
        return strongest(activation)

    monkeypatch.setattr(looking, "strongest", ask_meanwhile)
    explorer = make(layer="conv3_block1_out")
    is_made.set()
    explorer.wait()
    shown = {"layer": explorer.layer, "channel": explorer.channel}
    assert shown == {"layer": "conv3_block1_out"} | asked
