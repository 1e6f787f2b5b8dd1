"""LayerTree without a browser: rows, selection, and what the page may set."""

from __future__ import annotations

import dataclasses

import pytest
from stub_comm import StubComm

from resnet_widgets.widgets.layer_tree import LayerTree

ROWS = [
    {"path": "conv1_conv", "kind": "Conv2D", "stage": "conv1", "shape": [112, 112, 64]},
    {"path": "conv1_relu", "kind": "Activation", "stage": "conv1", "shape": [112, 112, 64]},
]


@dataclasses.dataclass
class Info:
    path: str

    def to_row(self):
        return {"path": self.path, "shape": [None, 3], "parameters": 7}


def test_objects_and_mappings_become_full_rows():
    tree = LayerTree([Info("resnet50/conv1_bn"), ROWS[0]])
    assert tree.layers[0] == {
        "path": "resnet50/conv1_bn",
        "name": "conv1_bn",
        "kind": "",
        "detail": "",
        "stage": "",
        "block": "",
        "shape": [-1, 3],
        "dtype": "",
        "parameters": 7,
        "field": None,
        "inputs": [],
    }
    assert tree.layers[1]["stage"] == "conv1"


def test_layers_of_a_real_model_pass_unchanged(random_resnet50):
    from resnet_widgets.engine.graph_reader import read_layers

    layers = read_layers(random_resnet50)
    assert LayerTree(layers).layers == [layer.to_row() for layer in layers]


@pytest.mark.parametrize("layer", [{}, {"path": ""}, {"path": 3}, "conv1", None])
def test_a_layer_without_a_path_is_refused(layer):
    with pytest.raises(ValueError, match="`layers` must hold .* Received: "):
        LayerTree([layer])


def test_layers_with_one_path_twice_are_refused():
    tree = LayerTree(ROWS)
    with pytest.raises(ValueError, match="Received: 'conv1_relu' more than once"):
        tree.layers = [*ROWS, ROWS[1]]
    assert len(tree.layers) == 2


def test_selecting_a_layer_that_does_not_exist_names_the_nearest():
    tree = LayerTree(ROWS, selected="conv1_conv")
    with pytest.raises(ValueError, match=r"conv1_relu.*Received: 'conv1_rel'"):
        tree.selected = "conv1_rel"
    assert tree.selected == "conv1_conv"
    with pytest.raises(ValueError, match="There are 2 layers"):
        LayerTree(ROWS, selected="predictions")


def test_new_layers_keep_the_selection_only_if_it_is_still_there():
    tree = LayerTree(ROWS, selected="conv1_relu")
    tree.layers = ROWS[1:]
    assert tree.selected == "conv1_relu"
    tree.layers = ROWS[:1]
    assert tree.selected == ""


def test_the_page_selects():
    tree = LayerTree(ROWS)
    StubComm(tree).page_sets(selected="conv1_relu")
    assert tree.selected == "conv1_relu"


@pytest.mark.parametrize("path", ["predictions", 7, None, ["conv1_relu"], {"__proto__": 1}])
def test_a_page_that_selects_nonsense_gets_the_previous_selection_back(path):
    tree = LayerTree(ROWS, selected="conv1_conv")
    comm = StubComm(tree)
    comm.page_sets(selected=path)
    assert tree.selected == "conv1_conv"
    assert comm.page_has()["selected"] == "conv1_conv"


def test_the_page_cannot_change_the_layers():
    tree = LayerTree(ROWS)
    comm = StubComm(tree)
    comm.page_sets(layers=[{"path": "other"}], selected="other")
    assert [row["path"] for row in tree.layers] == ["conv1_conv", "conv1_relu"]
    assert tree.selected == ""
    assert [row["path"] for row in comm.page_has()["layers"]] == ["conv1_conv", "conv1_relu"]


def test_marks_travel_alone():
    tree = LayerTree(ROWS)
    comm = StubComm(tree)
    tree.cached = ["conv1_conv"]
    tree.computing = "conv1_relu"
    states = [data["state"] for data, _ in comm.sent]
    assert states == [{"cached": ["conv1_conv"]}, {"computing": "conv1_relu"}]


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="layer"):
        LayerTree(ROWS, layer="conv1_conv")


def test_what_is_open_and_searched_for_is_kept():
    tree = LayerTree(ROWS, open_groups=["conv1", "conv1"], search="relu")
    assert (tree.open_groups, tree.search) == (["conv1"], "relu")
    StubComm(tree).page_sets(open_groups=["conv3"], search="add")
    assert (tree.open_groups, tree.search) == (["conv3"], "add")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("open_groups", ["x" * 1000] * 3 + [f"{i:0999}" for i in range(100)]),
        ("open_groups", [3]),
        ("open_groups", "conv3"),
        ("search", "x" * 201),
        ("search", None),
    ],
)
def test_a_page_that_opens_or_searches_for_too_much_gets_the_kernel_s_own_back(name, value):
    tree = LayerTree(ROWS, open_groups=["conv1"], search="relu")
    comm = StubComm(tree)
    comm.page_sets(**{name: value})
    assert (tree.open_groups, tree.search) == (["conv1"], "relu")
    assert comm.page_has()[name] == getattr(tree, name)


def test_what_is_too_long_is_said():
    with pytest.raises(ValueError, match=r"at most 200 letters.*Received: 201 letters"):
        LayerTree(ROWS, search="x" * 201)
    with pytest.raises(ValueError, match=r"at most 100000 letters.*Received: 1 names"):
        LayerTree(ROWS, open_groups=["x" * 100_001])
