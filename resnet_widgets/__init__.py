"""Jupyter widgets for looking inside a Keras ResNet50 while it looks at your picture.

>>> import resnet_widgets as rw
>>> rw.explore("cat.jpg")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import explain
    from .archive import save_activations
    from .cells import explore
    from .engine.activations import ActivationCache, CacheInfo
    from .engine.classes import Prediction
    from .engine.graph import LayerInfo
    from .engine.graph_reader import read_layers
    from .engine.images import ImageError, InputImage, load_image
    from .engine.models import WeightsError, describe, load_model
    from .engine.regions import region_channels, region_scores
    from .explorer import Explorer
    from .frame import Frame
    from .plots import plot_channels, plot_stages
    from .widgets import (
        ActivationMap,
        ChannelSlider,
        ExplainPanel,
        FrameStore,
        ImagePicker,
        LayerTree,
        StageViewer,
    )

__version__ = "0.1.0"

# Names are imported when first used: TensorFlow takes seconds.
_HOMES = {
    "save_activations": ".archive",
    "ActivationCache": ".engine.activations",
    "CacheInfo": ".engine.activations",
    "Prediction": ".engine.classes",
    "LayerInfo": ".engine.graph",
    "read_layers": ".engine.graph_reader",
    "ImageError": ".engine.images",
    "InputImage": ".engine.images",
    "load_image": ".engine.images",
    "WeightsError": ".engine.models",
    "describe": ".engine.models",
    "load_model": ".engine.models",
    "region_channels": ".engine.regions",
    "region_scores": ".engine.regions",
    "Explorer": ".explorer",
    "explore": ".cells",
    "Frame": ".frame",
    "plot_channels": ".plots",
    "plot_stages": ".plots",
    "ActivationMap": ".widgets",
    "ChannelSlider": ".widgets",
    "ExplainPanel": ".widgets",
    "FrameStore": ".widgets",
    "ImagePicker": ".widgets",
    "LayerTree": ".widgets",
    "StageViewer": ".widgets",
}

__all__ = [
    "ActivationCache",
    "ActivationMap",
    "CacheInfo",
    "ChannelSlider",
    "ExplainPanel",
    "Explorer",
    "Frame",
    "FrameStore",
    "ImageError",
    "ImagePicker",
    "InputImage",
    "LayerInfo",
    "LayerTree",
    "Prediction",
    "StageViewer",
    "WeightsError",
    "describe",
    "explain",
    "explore",
    "load_image",
    "load_model",
    "plot_channels",
    "plot_stages",
    "read_layers",
    "region_channels",
    "region_scores",
    "save_activations",
]


def __getattr__(name: str) -> Any:
    if name == "explain":
        return _module(".explain")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def _module(name: str) -> Any:
    from .engine.memory import collecting_later

    try:
        with collecting_later():
            return importlib.import_module(name, __name__)
    except ImportError:
        # Where Keras or TensorFlow is missing, this one says how to install them.
        importlib.import_module(".engine.models", __name__)
        raise


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
