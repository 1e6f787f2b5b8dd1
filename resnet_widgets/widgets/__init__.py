"""Knows Jupyter, knows no Keras: each widget has its JS beside it."""
