"""Knows Jupyter, knows no Keras: each widget has its JS beside it."""

from .activation_map import ActivationMap
from .channel_slider import ChannelSlider
from .explain_panel import ExplainPanel
from .frame_store import FrameStore
from .image_picker import ImagePicker
from .layer_tree import LayerTree
from .stage_viewer import StageViewer

__all__ = [
    "ActivationMap",
    "ChannelSlider",
    "ExplainPanel",
    "FrameStore",
    "ImagePicker",
    "LayerTree",
    "StageViewer",
]
