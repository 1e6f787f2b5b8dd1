"""Knows Jupyter, knows no Keras: each widget has its JS beside it."""

from .frame_store import FrameStore

__all__ = ["FrameStore"]
