"""Keras's models and files of weights."""
