"""Knows Keras, knows no Jupyter: layers, activations, images, models."""
