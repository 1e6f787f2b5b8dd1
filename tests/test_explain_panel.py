"""The panel without a page: edits that all maps follow, questions, progress, cancel."""

import threading
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from stub_comm import StubComm

import resnet_widgets as rw
from resnet_widgets import answers
from resnet_widgets.explain import ClassScore, EditedRun, Mute, Scale
from resnet_widgets.photos import Photo

LONG = 60  # seconds; reached only by a test that fails
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def network():
    """Two residual blocks with Keras' names, and a classifier: traced in no time."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", name="conv1_conv")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage in (2, 3):
        name = f"conv{stage}_block1"
        shortcut = keras.layers.Conv2D(6, 1, strides=2, name=f"{name}_0_conv")(x)
        x = keras.layers.Conv2D(6, 3, strides=2, padding="same", name=f"{name}_1_conv")(x)
        x = keras.layers.BatchNormalization(name=f"{name}_1_bn")(x)
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, keras.layers.Dense(4, "softmax", name="predictions")(x))


class Page:
    """A page with an explorer: what it shows, and the panel's comm."""

    def __init__(self, explorer):
        self.explorer = explorer
        self.comm = StubComm(explorer.why)
        self.heard = threading.Condition()
        send = self.comm.send

        def listen(*args, **kwargs):
            with self.heard:
                send(*args, **kwargs)
                self.heard.notify_all()

        self.comm.send = listen

    def settle(self, condition):
        changed = threading.Event()
        watch = lambda change: condition() and changed.set()  # noqa: E731
        self.explorer.observe(watch)
        try:
            assert condition() or changed.wait(LONG), (self.explorer.status, self.explorer.error)
        finally:
            self.explorer.unobserve(watch)

    def messages(self):
        return [
            (data["content"], buffers)
            for data, buffers in self.comm.sent
            if data.get("method") == "custom"
        ]

    def wait(self, kind, number):
        def found():
            return [m for m in self.messages() if (m[0]["kind"], m[0]["id"]) == (kind, number)]

        with self.heard:
            assert self.heard.wait_for(found, LONG), self.messages()
        return found()[0]

    def ask(self, what, number=1, view="a", **options):
        question = {"kind": "ask", "id": number, "what": what, "options": options}
        self.comm.page_sends({**question, "view": view})

    def cancel(self, what, view="a"):
        self.comm.page_sends({"kind": "cancel", "what": what, "view": view})


@pytest.fixture
def page():
    explorer = rw.Explorer(PHOTO, network())
    page = Page(explorer)
    page.settle(lambda: bool(explorer.predictions) and not explorer.status)
    yield page
    explorer.close()


def test_edits_change_predictions_and_maps(page):
    explorer = page.explorer
    before, photo = list(explorer.predictions), explorer.photo
    explorer.edits = [Mute("conv3_block1_out", [0, 1, 2])]
    page.settle(lambda: explorer.photo != photo and explorer.predictions != before)
    run = explorer.cache.run(PHOTO, explorer.edits)
    for (label, probability), score in zip(explorer.predictions, run.scores(), strict=True):
        assert label == score.label
        assert probability == pytest.approx(score.probability, rel=1e-4)
    for child in (explorer.map, explorer.grid, explorer.slider, explorer.stages, explorer.why):
        assert child.photo == explorer.photo == explorer.cache.key(run)
    frame = explorer._serving.frame(explorer.photo, "conv3_block1_out")
    frame = frame if hasattr(frame, "high") else frame.result(LONG)
    assert (frame.high[:3] == 0).all() and frame.high[3:].any()
    assert page.comm.page_has()["edits"] == [explorer.edits[0].to_dict()]
    explorer.edits = []
    page.settle(lambda: explorer.photo == photo)
    page.settle(lambda: explorer.predictions == before)


def test_classes_follow_an_edit_before_its_maps_are_made(page):
    explorer = page.explorer
    hold = threading.Event()
    explorer._jobs.worker.submit(lambda task: hold.wait(LONG))
    edit = Mute("conv3_block1_out", [0, 1, 2])
    try:
        page.comm.page_sets(edits=[edit.to_dict()])
        page.ask("scores")
        data = page.wait("answer", 1)[0]["data"]
        assert data["names"] == [edit.name]
        # Which name is of which edit, the page has from nowhere else.
        assert data["edits"] == [edit.to_dict()]
        assert any(row["before"] != row["after"] for row in data["rows"])
    finally:
        hold.set()


def test_a_ranking_asked_for_before_the_maps_of_an_edit_is_of_that_edit(page):
    explorer = page.explorer
    hold = threading.Event()
    explorer._jobs.worker.submit(lambda task: hold.wait(LONG))
    edit = Mute("conv2_block1_out", [0, 1])
    try:
        page.comm.page_sets(edits=[edit.to_dict()])
        page.ask("rank", layer="conv3_block1_out", target=2)
        data = page.wait("answer", 1)[0]["data"]
    finally:
        hold.set()
    assert data["edits"] == [edit.to_dict()]
    run = explorer.cache.run(PHOTO, [edit])
    found = rw.explain.rank_channels(explorer.cache, run, "conv3_block1_out", 2)
    assert data["rows"] == [list(row) for row in found.ranked()]


def test_a_page_turns_knobs(page):
    explorer = page.explorer
    photo = explorer.photo
    edit = {"kind": "scale", "layer": "conv2_block1_out", "channels": [1], "factor": 3}
    page.comm.page_sets(edits=[edit])
    page.settle(lambda: explorer.photo != photo)
    assert explorer.edits == [Scale("conv2_block1_out", 1, 3)]


@pytest.mark.parametrize(
    "edit",
    [
        {"kind": "boil"},
        {"kind": "mute", "layer": "conv9", "channels": [0]},
        {"kind": "mute", "layer": "conv1_relu", "channels": [99]},
        {"kind": "mute", "layer": ["conv1_relu"], "channels": [0]},
        {"kind": "mute", "layer": "conv1_relu", "channels": {}},
        {"kind": "erase", "layer": "conv1_relu", "box": [1, 2]},
    ],
)
def test_edits_that_are_none_are_refused_and_said(page, edit):
    good = Mute("conv1_relu", 1).to_dict()
    page.comm.page_sets(edits=[good])
    page.comm.page_sets(edits=[good, edit])
    assert page.explorer.edits == [Mute("conv1_relu", 1)]
    assert page.comm.page_has()["edits"] == [good]
    assert page.explorer.why.error
    page.comm.page_sets(edits=[])
    assert page.explorer.why.error == ""


def test_another_channel_of_a_block_computes_no_block_again(page, monkeypatch):
    explorer, real, computed = page.explorer, rw.explain.residual_shares, []
    monkeypatch.setattr(
        rw.explain,
        "residual_shares",
        lambda *args, **more: computed.append(args) or real(*args, **more),
    )
    for number, channel in ((1, 0), (2, 4)):
        page.ask("residual", number, layer="conv2_block1_out", channel=channel)
        data = page.wait("answer", number)[0]["data"]
        one = rw.explain.residual(explorer.cache, PHOTO, "conv2_block1")
        assert data["of_channel"][2] == float(one.sum_energy[channel])
    assert len(computed) == 1
    explorer.edits = [Mute("conv1_relu", 1)]
    explorer.wait(LONG)
    page.ask("residual", 3, layer="conv2_block1_out", channel=4)
    page.wait("answer", 3)
    assert len(computed) == 2
    explorer.refresh()
    explorer.wait(LONG)
    page.ask("residual", 4, layer="conv2_block1_out", channel=4)
    page.wait("answer", 4)
    assert len(computed) == 3


def test_edits_from_python_are_checked(page):
    with pytest.raises(ValueError, match="No such layer"):
        page.explorer.edits = [Mute("conv9", 1)]
    assert page.explorer.edits == []


QUESTIONS = {
    "scores": {"target": 2},
    "rank": {"layer": "conv3_block1_out", "target": -1},
    "cam": {"layer": "conv3_block1_out", "method": "grad-cam++", "target": 1},
    "pixels": {"method": "occlusion", "target": 1},
    "residual": {"layer": "conv2_block1_1_bn", "channel": 99},
    "channel": {"layer": "conv2_block1_1_bn", "channel": 3, "cursor": [0, 0, 0.1, 0.1]},
    "estimate": {"method": "occlusion"},
    "classes": {},
    "photo": {},
}


def test_the_table_of_classes_has_as_many_rows_whatever_edits_bring_in():
    edited = EditedRun.__new__(EditedRun)
    edited.image, edited.edits = "photo", ()
    scores = {
        what: [ClassScore(f"class {i}", i, 0.05, float(logit)) for i, logit in enumerate(logits)]
        for what, logits in (("photo", range(20, 0, -1)), (edited, range(20)))
    }
    cache = SimpleNamespace(scores=lambda image, top: scores[image])

    def listed(image, target=None):
        data, _ = answers.ANSWERS["scores"](
            SimpleNamespace(cache=cache, image=image, target=target)
        )
        return [row["index"] for row in data["rows"]]

    assert listed("photo") == [0, 1, 2, 3, 4, 5, 6]
    # The first of now and of before in turn, in the order of now.
    assert listed(edited) == [19, 18, 17, 16, 2, 1, 0]
    assert listed(edited, target=9) == [19, 18, 17, 9, 2, 1, 0]


@pytest.mark.parametrize("what", QUESTIONS)
def test_every_question_has_an_answer(page, what):
    page.ask(what, **QUESTIONS[what])
    content, buffers = page.wait("answer", 1)
    data = content["data"]
    if what == "scores":
        assert len(data["rows"]) == 4 and data["names"] == []
    elif what == "rank":
        assert sorted(channel for channel, _ in data["rows"]) == list(range(6))
    elif what == "cam":
        sums = np.frombuffer(buffers[0], "<f4").reshape(len(data["counts"]), *data["shape"])
        cam = rw.explain.grad_cam(
            page.explorer.cache, PHOTO, "conv3_block1_out", 1, method="grad-cam++"
        )
        np.testing.assert_allclose(sums[-1], cam.map, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(sums[0], cam.partial(1))
        for by, rows in data["rows"].items():
            assert rows == [list(row) for row in cam.ranked(by)]
    elif what == "pixels":
        assert data["shape"] == [32, 32] and len(buffers[0]) == 4 * 32 * 32
    elif what == "residual":
        assert data["limit"] > 0
        assert data["block"] == "conv2_block1" and data["channel"] == 5
        assert [b["block"] for b in data["blocks"]] == ["conv2_block1", "conv3_block1"]
    elif what == "channel":
        total = sum(share for _, share in data["rows"]) + data["rest"] + data["bias"]
        assert data["cell"] == [0, 0] or data["cell"] == (0, 0)
        np.testing.assert_allclose(total, data["value"], atol=1e-5)
        assert data["facts"]["cut"] is None and data["facts"]["gain"] > 0
    elif what == "estimate":
        assert data["seconds"] > 0
    elif what == "classes":
        assert data["labels"] == [f"class {i}" for i in range(4)]
    else:
        assert buffers[0].startswith(b"\xff\xd8")


def test_every_answer_says_the_edits_that_it_is_of(page):
    edit = Mute("conv1_relu", 1)
    page.comm.page_sets(edits=[edit.to_dict()])
    questions = {**QUESTIONS, "dream": {"layer": "conv1_relu", "steps": 1}, "reading": {}}
    assert set(questions) == set(answers.ANSWERS)
    for number, (what, options) in enumerate(questions.items()):
        page.ask(what, number, **options)
    # The page has others by the time that the answers come.
    page.comm.page_sets(edits=[])
    for number in range(len(questions)):
        assert page.wait("answer", number)[0]["data"]["edits"] == [edit.to_dict()]
    page.ask("classes", 99)
    assert page.wait("answer", 99)[0]["data"]["edits"] == []


def test_where_there_is_no_convolution_those_of_the_block_are_offered(page):
    page.ask("channel", layer="conv3_block1_out", channel=0)
    choices = page.wait("answer", 1)[0]["data"]["choices"]
    assert sorted(choices) == ["conv3_block1_0_conv", "conv3_block1_1_conv"]
    page.ask("channel", number=2, layer="avg_pool", channel=0)
    assert "must be a convolution" in page.wait("trouble", 2)[0]["message"]


def test_blocks_are_read_with_labelled_photos(page):
    explorer, why = page.explorer, page.explorer.why
    page.ask("reading", number=1)
    assert page.wait("answer", 1)[0]["data"]["blocks"] == []
    rng = np.random.default_rng(3)
    photos = {
        label: [np.clip(rng.normal(colour, 20, (32, 32, 3)), 0, 255).astype(np.uint8)] * 2
        for label, colour in (("red <b>", (220, 40, 40)), ("blue", (40, 40, 220)))
    }
    explorer.early_reading(photos)
    assert (why.section, why.opened) == ("reading", True)
    assert why.labelled == "4 photos of 2 labels: red <b>, blue"
    page.ask("reading", number=2)
    data = page.wait("answer", 2)[0]["data"]
    expected = rw.explain.early_reading(explorer.cache, PHOTO, photos)
    assert [block["layer"] for block in data["blocks"]] == [one.layer for one in expected]
    assert [block["nearest"] for block in data["blocks"]] == [one.labels[0] for one in expected]
    assert data["labels"][0] == expected[-1].labels[0]
    assert data["forms"] == rw.explain.forms_at(expected)
    near = dict(zip(expected[0].labels, expected[0].similarities, strict=True))
    found = dict(zip(data["labels"], data["blocks"][0]["similarities"], strict=True))
    assert found == pytest.approx(near)
    # What photos there are is for Python to say.
    page.comm.page_sets(labelled="a million photos")
    assert why.labelled == page.comm.page_has()["labelled"] == "4 photos of 2 labels: red <b>, blue"
    with pytest.raises(ValueError, match="at least two labels"):
        explorer.early_reading({"cat": [PHOTO]})
    explorer.early_reading(None)
    assert why.labelled == ""


def test_classes_follow_an_edit_while_a_picture_grows(page):
    page.ask("dream", layer="conv2_block1_out", channel=1, steps=1024, seed=0)
    page.wait("progress", 1)
    page.ask("scores", number=2)
    page.wait("answer", 2)
    done = [m for m, _ in page.messages() if m["id"] == 1 and m["kind"] != "progress"]
    assert done == []
    page.cancel("dream")
    page.wait("trouble", 1)


def test_an_answer_that_is_no_number_is_said_and_every_question_answered():
    model = network()
    layer = model.get_layer("conv2_block1_1_conv")
    layer.set_weights([np.full_like(w, np.nan) for w in layer.get_weights()])
    explorer = rw.Explorer(PHOTO, model)
    page = Page(explorer)
    page.settle(lambda: bool(explorer.error) and not explorer.status)
    assert "not a number" in explorer.error
    assert explorer.predictions == []
    page.ask("scores", number=1)
    rows = page.wait("answer", 1)[0]["data"]["rows"]
    assert len(rows) == 4 and all(row["after"] == [None, None] for row in rows)
    page.ask("residual", number=2, layer="conv2_block1_out", channel=0)
    found = page.wait("answer", 2)[0]["data"]
    assert found["agreement"] is None
    assert found["limit"] > 0  # of the shortcut, where all are numbers
    page.ask("channel", number=3, layer="conv2_block1_1_conv", channel=0)
    assert page.wait("answer", 3)[0]["data"]["value"] is None
    for number, what in enumerate(("cam", "rank", "pixels"), 4):
        page.ask(what, number=number, layer="conv2_block1_out")
        assert "no number for this class" in page.wait("trouble", number)[0]["message"]
    explorer.close()


def test_a_picture_grows_and_is_cancelled_half_way(page):
    page.ask("dream", layer="conv2_block1_out", channel=1, steps=1024, seed=0)
    content, _ = page.wait("progress", 1)
    with page.heard:
        grown = lambda: [b for m, b in page.messages() if m["kind"] == "progress" and b]  # noqa: E731
        assert page.heard.wait_for(grown, LONG)
    assert len(grown()[0][0]) == 32 * 32 * 3
    assert page.explorer.why.size == [32, 32]
    page.cancel("dream")
    content, _ = page.wait("trouble", 1)
    assert content["cancelled"] and content["message"] == "Cancelled."
    assert page.explorer.why.last_error is None
    page.ask("photo", number=2)
    page.wait("answer", 2)


def test_two_views_of_an_explorer_do_not_end_each_others_questions(page):
    started, hold = threading.Event(), threading.Event()
    page.explorer._explainer._quick.submit(lambda task: (started.set(), hold.wait(LONG)))
    assert started.wait(LONG)
    try:
        for number, view in enumerate("abac"):
            page.ask("scores", number, view=view)
        # Within one view the newest counts, and a view ends its own alone.
        assert page.wait("trouble", 0)[0]["cancelled"]
        page.cancel("scores", "c")
        assert page.wait("trouble", 3)[0]["cancelled"]
        # Of pages that come and go the last few are answered.
        for number in range(4, 9):
            page.ask("classes", number, view=f"view {number}")
        assert [m["id"] for m, _ in page.messages() if m["kind"] == "trouble"] == [0, 3]
        page.ask("scores", 9, view="one too many")
        assert page.wait("trouble", 1)[0]["cancelled"]
    finally:
        hold.set()
    for number in (2, *range(4, 10)):
        page.wait("answer", number)


@pytest.mark.parametrize(
    ("what", "options"),
    [("rank", {}), ("pixels", {"method": "occlusion"}), ("residual", {})],
    ids=["rank", "pixels", "residual"],
)
def test_a_long_question_is_cancelled_half_way(page, what, options):
    send, heard = page.comm.send, []

    def cancel_at_once(data, **kwargs):
        send(data, **kwargs)
        if data.get("content", {}).get("kind") == "progress":
            heard.append(data)
            page.cancel(what)

    page.comm.send = cancel_at_once
    page.ask(what, layer="conv2_block1_out", **options)
    content, _ = page.wait("trouble", 1)
    assert content["cancelled"] and len(heard) == 1
    page.ask("photo", number=2)
    page.wait("answer", 2)


def test_trouble_is_answered(page):
    page.ask("cam", layer="avg_pool", method="grad-cam")
    content, _ = page.wait("trouble", 1)
    assert "must have a map" in content["message"]
    page.ask("bake", number=2)
    assert "`what` must be" in page.wait("trouble", 2)[0]["message"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        {"kind": "ask"},
        {"id": -1, "options": {}},
        {"id": 1, "options": []},
        {"id": 1, "options": {"layer": {}}},
        {"id": 1, "options": {"layer": "x" * 10_001}},
        {"id": 1, "options": {"cursor": [0] * 99}},
        {"id": True, "options": {}},
        {"id": 1, "options": {}, "view": None},
        {"id": 1, "options": {}, "view": "x" * 65},
        {"kind": "cancel", "what": 3},
        {"kind": "cancel", "what": "cam", "view": 3},
    ],
)
def test_what_is_no_question_is_dropped(page, content):
    about = {"kind": "ask", "view": "a", "what": "cam"}
    page.comm.page_sends({**about, **content} if content and "id" in content else content)
    assert page.messages() == []


def test_maps_are_made_when_it_is_opened_and_closed_with_it(page):
    why = page.explorer.why
    assert why.maps == []
    why.opened = True
    maps = list(why.maps)
    assert len(maps) == 4
    why.opened = False
    why.opened = True
    assert why.maps == maps
    page.explorer.close()
    assert all(child.comm is None for child in maps)


def test_a_page_gets_few_edits(page):
    edit = Mute("conv1_relu", 1).to_dict()
    page.comm.page_sets(edits=[edit] * 100)
    assert page.explorer.edits == []
    assert "at most 64 edits" in page.comm.page_has()["error"]
    page.comm.page_sets(edits=["mute"])
    assert page.explorer.edits == []


def test_a_page_gets_edits_of_few_channels(page):
    edits = [Mute("conv1_relu", range(6)).to_dict()] * 60
    page.comm.page_sets(edits=edits)
    assert len(page.explorer.edits) == 60
    long = {"kind": "mute", "layer": "conv1_relu", "channels": [0] * (8192 - 359)}
    page.comm.page_sets(edits=[*edits, long])
    assert len(page.explorer.edits) == 60
    assert page.comm.page_has()["edits"] == edits
    said = "8192 channels in all. Received: 61 edits of 8193 channels"
    assert said in page.comm.page_has()["error"]
    page.comm.page_sets(edits=edits[1:])
    assert page.comm.page_has()["error"] == ""


def test_the_part_of_the_photo_that_the_model_sees():
    import io

    from PIL import Image

    file = io.BytesIO()
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[:, 25:75] = 255
    Image.fromarray(picture).save(file, "JPEG", quality=95)
    # What is kept may be a smaller copy of the photo.
    photo = Photo(None, {"size": [100, 200], "box": [50, 0, 150, 100]}, file.getvalue())
    part = np.array(Image.open(io.BytesIO(photo.seen())))
    assert part.shape == (50, 50, 3)
    assert part.min() > 200
