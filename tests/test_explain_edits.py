"""Edited runs against `keras.Model`s with the same edits; what of the network they run."""

import json

import keras
import numpy as np
import pytest
from explaining import both_networks, close, model_input, run_edited, said_until_ended
from PIL import Image

import resnet_widgets as rw
from resnet_widgets.engine import program
from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.engine.program import Program
from resnet_widgets.explain import Erase, Mute, Scale, Solo, edit_from_dict, rank_channels

cache, photo = both_networks()

PHOTO = np.random.default_rng(13).integers(0, 256, (128, 128, 3), np.uint8)


def shape_of(cache, layer):
    return cache.graph.find(layer).shape


EDITS = {
    "the end of a block, twice": [
        Mute("conv4_block6_out", [0, 5]),
        Scale("conv4_block6_out", 1, 2),
    ],
    "inside a branch, before a batch norm": [Solo("conv3_block2_2_conv", range(9))],
    "inside a shortcut": [Scale("conv3_block1_0_bn", 3, -2.5)],
    "a region of one channel": [Erase("conv2_block3_out", (0, 0.3, 1, 0.5), 7)],
    "pooled features": [Mute("avg_pool", range(0, 60, 2))],
    "two layers of one block": [Mute("conv4_block2_1_relu", 1), Scale("conv4_block2_add", 2, 3)],
    "two stages": [Mute("conv1_relu", 3), Erase("conv4_block1_out", (0, 0, 0.5, 0.5))],
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_an_edited_run_is_what_keras_computes(cache, photo, edits):
    masks = {}
    for edit in edits:
        masks[edit.layer] = masks.get(edit.layer, 1) * edit.mask(shape_of(cache, edit.layer))
    expected = run_edited(cache.model, model_input(photo), masks)
    run = cache.run(photo, edits)
    for path in {*masks, "conv2_block1_out", "conv5_block2_2_relu", "conv5_block3_out"}:
        # Eager Keras is up to 1e-4 of the largest number away from any traced run.
        close(run.activation(path), expected[path], 1e-4)
    scores = run.scores(top=None)
    np.testing.assert_allclose([s.probability for s in scores], expected["predictions"], atol=1e-5)


def test_an_edit_of_the_input(cache, photo):
    edit = Erase(cache.layers[0].path, (0.1, 0.2, 0.6, 0.7))
    x = model_input(photo)
    covered = x * edit.mask(x.shape[1:])
    side = cache.input_size[0]
    rows, columns = (
        slice(int(0.2 * side), -int(-0.7 * side // 1)),
        slice(int(0.1 * side), -int(-0.6 * side // 1)),
    )
    assert (covered[0, rows, columns] == 0).all()
    assert (covered == 0).sum() == (x == 0).sum() + (x[0, rows, columns] != 0).sum()
    run = cache.run(photo, [edit])
    expected = run_edited(cache.model, covered, {})
    np.testing.assert_array_equal(run.activation(edit.layer), covered[0])
    close(run.activation("conv3_block1_2_relu"), expected["conv3_block1_2_relu"], 1e-4)
    assert run.scores(1)[0].index == expected["predictions"].argmax()


def test_the_photo_itself_stays_as_it_is(cache, photo):
    before = np.array(cache.activation(photo, "conv5_block3_out"))
    probabilities = [s.probability for s in cache.scores(photo, None)]
    run = cache.run(photo, [Mute("conv5_block1_out", range(30))])
    assert not np.array_equal(run.activation("conv5_block3_out"), before)
    np.testing.assert_array_equal(cache.activation(photo, "conv5_block3_out"), before)
    np.testing.assert_array_equal(run.before("conv5_block3_out"), before)
    assert [s.probability for s in run.scores_before(None)] == probabilities
    # What comes before the edit is not computed again: it is the same memory.
    assert run.activation("conv4_block1_out") is not None
    assert np.shares_memory(
        run.activation("conv4_block6_out"), cache.activation(photo, "conv4_block6_out")
    )


def test_only_what_comes_after_the_edit_runs(cache, photo):
    cache.clear()
    cache.activations(photo, [piece.output for piece in cache.graph.pieces])
    before = cache.info()
    run = cache.run(photo, [Mute("conv5_block2_out", 3)])
    after = cache.info()
    assert after.surveys == before.surveys
    kept = cache.cached(run)
    assert "conv5_block3_out" in kept and "predictions" in kept
    assert not any(
        cache.graph.find(path).piece < cache.graph.find("conv5_block2_out").piece for path in kept
    )
    assert not {path for path in kept if path.startswith("conv5_block2")} - {"conv5_block2_out"}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("conv3_block4_out", ["edited", "segment"]),  # conv4; conv5 and the head
        ("conv4_block6_out", ["edited"]),
        ("conv5_block3_out", ["edited"]),
        ("conv5_block2_2_relu", ["edited", "segment"]),
    ],
)
def test_an_edited_end_runs_together_with_what_comes_next(
    cache, photo, layer, expected, monkeypatch
):
    """Each function that is called costs a part of a millisecond, and there are few to trace."""
    monkeypatch.setattr(program, "_WORTH_TRACING", 0)
    monkeypatch.setattr(program, "_WORTH_JOINING", 0)
    cache.activations(photo, [*(piece.output for piece in cache.graph.pieces), layer])
    called = []
    for name in ("edited", "segment", "piece", "survey"):
        real = getattr(Program, name)
        monkeypatch.setattr(
            Program,
            name,
            lambda *a, name=name, real=real, **k: called.append(name) or real(*a, **k),
        )
    cache.run(photo, [Mute(layer, 13)])
    assert called == expected


@pytest.fixture
def traced(monkeypatch):
    """What programs trace from now on, in order: pieces, or what has edits or a gradient."""
    found = []
    trace = Program._trace

    def note(self, paths, run, arguments, masks=None):
        found.append("pieces" if masks is None else "edited")
        return trace(self, paths, run, arguments, masks)

    monkeypatch.setattr(Program, "_trace", note)
    return found


def test_the_first_edit_of_a_layer_does_not_wait_for_tracing(traced, monkeypatch):
    """It is run untraced, or by pieces that are traced already; often run, it is traced as one."""
    monkeypatch.setattr(program, "_WORTH_TRACING", 1)
    monkeypatch.setattr(program, "_WORTH_JOINING", 2)
    cache = ActivationCache("mini")
    reference = keras.Model(cache.model.get_layer("conv4_block3_out").output, cache.model.output)

    def answer(channel):
        run = cache.run(PHOTO, [Mute("conv4_block3_out", channel)])
        muted = run.before("conv4_block3_out").copy()
        muted[..., channel] = 0
        expected = reference(muted[None], training=False)[0]
        np.testing.assert_allclose(run.activation("predictions"), expected, atol=1e-6)
        return list(traced)

    assert answer(3) == []  # untraced
    after = cache.graph.pieces[cache.graph.find("conv4_block3_out").piece + 1 :]
    for one in after:
        cache.trace(PHOTO, one.index)
    traced.clear()
    by_pieces = []
    piece = Program.piece
    monkeypatch.setattr(
        Program, "piece", lambda self, one, *rest: by_pieces.append(one) or piece(self, one, *rest)
    )
    assert answer(4) == []
    assert by_pieces == list(after)
    assert answer(5) == ["edited", "pieces"]  # up to the end of conv4; conv5 and the head
    assert len(answer(6)) == 2
    cache.close()


def test_the_first_gradient_of_a_layer_does_not_wait_for_tracing(traced, monkeypatch):
    monkeypatch.setattr(program, "_WORTH_TRACING", 1)
    cache = ActivationCache("mini")
    untraced = cache.gradient(PHOTO, "conv4_block3_out", 3)
    assert traced == []
    for found, expected in zip(cache.gradient(PHOTO, "conv4_block3_out", 3), untraced, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6, rtol=1e-4)
    assert traced == ["edited"]
    cache.close()


def test_without_its_branch_a_block_gives_relu_of_the_shortcut(cache, photo):
    for block, shortcut in (
        ("conv3_block2", "conv3_block1_out"),
        ("conv4_block1", "conv4_block1_0_bn"),
    ):
        branch = f"{block}_3_bn"
        run = cache.run(photo, [Mute(branch, range(shape_of(cache, branch)[-1]))])
        expected = np.maximum(cache.activation(photo, shortcut), 0)
        np.testing.assert_array_equal(run.activation(f"{block}_out"), expected)


def test_muted_infinities_are_zero():
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 1, name="a", kernel_initializer="ones")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax", name="predictions")(x))
    model.get_layer("a").set_weights([np.array([[[[np.inf, 1]]]]), np.zeros(2)])
    cache = rw.ActivationCache(model, preprocess=lambda x: x[..., :1] + 1)
    run = cache.run(np.ones((4, 4, 3), np.uint8), [Mute("a", 0)])
    assert np.isinf(run.before("a")[..., 0]).all()
    assert (run.activation("a")[..., 0] == 0).all()


def test_edits_are_named_listed_undone_and_written_down(cache, photo):
    edits = (
        Mute("conv5_block3_out", [2, 1]),
        Solo("conv5_block3_out", 4),
        Scale("conv4_block1_out", range(6), 0.5),
        Erase("conv2_block1_out", (0, 0, 0.5, 1), 3),
    )
    run = cache.run(photo, edits)
    assert run.edits == edits
    assert [edit.name for edit in edits] == [
        "mute channels 1, 2 of conv5_block3_out",
        "only channel 4 of conv5_block3_out",
        "channels 0, 1, 2, 3 and 2 more × 0.5 of conv4_block1_out",
        "erase 0–50 %, 0–100 % in channel 3 of conv2_block1_out",
    ]
    assert run.without(0).edits == edits[1:]
    assert run.without().edits == edits[:-1]
    assert run.with_edits(edits[0]).edits == (*edits, edits[0])
    assert cache.run(run, [edits[0]]).edits == (*edits, edits[0])
    back = [edit_from_dict(json.loads(json.dumps(edit.to_dict()))) for edit in edits]
    assert tuple(back) == edits
    undone = cache.run(photo, edits[:1]).without()
    assert undone.scores() == cache.scores(photo)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mute("conv1_relu", 4096), "channels, 0 to"),
        (lambda: Mute("conv1_relu", -1), "channels, 0 to"),
        (lambda: Mute("conv1_relu", []), "at least one channel"),
        (lambda: Mute("conv1_relu", 1.5), "`channels` must be"),
        (lambda: Scale("conv1_relu", 1, float("nan")), "`factor` must be"),
        (lambda: Scale("conv1_relu", 1, 10**400), "`factor` must be"),
        (lambda: Scale("conv1_relu", 1, -1e39), "`factor` must be .* float32"),
        (lambda: Scale("conv1_relu", 1, "twice"), "`factor` must be .* factor='twice'"),
        (lambda: Erase("conv1_relu", (0, 0, 10**400, 1)), "`box` must be"),
        (lambda: Erase("conv1_relu", (0.5, 0, 0.5, 1)), "`box` must be"),
        (lambda: Erase("conv1_relu", "all"), "`box` must be"),
        (lambda: Erase("avg_pool", (0, 0, 1, 1)), "has a region"),
        (lambda: Mute("predictions", 1), "Nothing runs after"),
        (lambda: Mute("conv9", 1), "No such layer"),
        (lambda: "mute", "`edits` must be"),
        (lambda: edit_from_dict({"kind": "mute"}), "does not describe"),
        (lambda: edit_from_dict({"kind": "boil"}), "with a kind of"),
        (lambda: edit_from_dict([]), "with a kind of"),
    ],
)
def test_what_is_wrong_is_said(cache, photo, make, message):
    with pytest.raises(ValueError, match=message):
        cache.run(photo, [make()])


def test_a_file_is_read_once(cache, photo, tmp_path):
    path = tmp_path / "noise.png"
    Image.fromarray(photo).save(path)
    run = cache.run(path, [Mute("conv5_block3_out", 1)])
    path.unlink()
    assert run.source == "noise.png"
    assert run.scores_before() == run.without().scores() == cache.scores(photo)


def test_one_photo_at_a_time(cache, photo):
    with pytest.raises(ValueError, match="one image at a time"):
        cache.run(np.stack([photo, photo]), [Mute("conv1_relu", 0)])
    with pytest.raises(ValueError, match="one image at a time.*batch of 2 images"):
        cache.scores(np.stack([photo, photo]))


def test_an_edited_run_keeps_within_the_bytes(photo, cache):
    small = rw.ActivationCache(cache.model, max_bytes=2**18)
    run = small.run(photo, [Mute("conv2_block1_out", 1)])
    expected = cache.run(photo, [Mute("conv2_block1_out", 1)])
    close(run.activation("conv3_block1_out"), expected.activation("conv3_block1_out"), 2e-5)
    assert small.info().nbytes <= 2**18
    small.close()


@pytest.mark.parametrize("layer", ["conv5_block3_out", "conv5_block2_1_relu", "avg_pool"])
def test_ranking_is_muting_one_by_one(cache, photo, layer):
    effects = rank_channels(cache, photo, layer, target=2)
    before = cache.logits(photo)[2]
    ranked = effects.ranked()
    assert [abs(change) for _, change in ranked] == sorted(
        (abs(change) for _, change in ranked), reverse=True
    )
    for channel, change in [*ranked[:3], ranked[-1]]:
        alone = cache.run(photo, [Mute(layer, channel)])
        np.testing.assert_allclose(alone.scores(None)[2].logit - before, change, atol=2e-4)


def test_a_layer_that_no_class_depends_on_is_not_ranked(cache, photo):
    with pytest.raises(ValueError, match=r"No class depends .* Received: layer='predictions'"):
        rank_channels(cache, photo, "predictions", target=2)


def test_ranking_of_an_edited_run(cache, photo):
    run = cache.run(photo, [Mute("conv5_block3_out", 1), Mute("conv5_block2_out", range(40))])
    changes = rank_channels(cache, run, "conv5_block3_out", target=0).changes
    assert changes[1] == 0
    channel = int(np.abs(changes).argmax())
    both = run.with_edits(Mute("conv5_block3_out", channel))
    change = both.scores(None)[0].logit - run.scores(None)[0].logit
    np.testing.assert_allclose(change, changes[channel], atol=2e-4)


def test_versions_of_an_edited_activation_begin_at_its_layer(cache, photo, monkeypatch):
    layer, later = "conv5_block2_out", Mute("conv5_block3_2_relu", range(9))
    run = cache.run(photo, [Mute("conv2_block1_1_relu", 1), Scale(layer, 4, 3), later])
    without = cache.logits(run.with_edits(Mute(layer, 2)))
    first = []
    for name in ("edited", "segment"):
        real = getattr(Program, name)

        def recorded(self, pieces, *rest, real=real):
            first.append(pieces[0].index)
            return real(self, pieces, *rest)

        monkeypatch.setattr(Program, name, recorded)
    masks = np.ones((2, 1, 1, shape_of(cache, layer)[-1]), np.float32)
    masks[1, ..., 2] = 0
    found = cache.logits_with_masks(run, layer, masks)
    assert min(first) == cache.graph.find(layer).piece
    close(found, np.stack([cache.logits(run), without]), 1e-5)


def test_ranking_says_how_far_it_is_and_can_be_ended(cache, photo):
    layer = "conv5_block1_out"
    said = said_until_ended(2, lambda p: rank_channels(cache, photo, layer, 0, progress=p))
    assert said[0][0] == 0 and 0 < said[1][0] < 1
    assert "conv5_block1_out" in said[1][1]
