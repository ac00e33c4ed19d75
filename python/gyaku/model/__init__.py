"""Models: layers that are connected, trained, looked at, saved and loaded."""

from gyaku.model.base import Model
from gyaku.model.sequential import Sequential
from gyaku.model.storage import load

__all__ = ["Model", "Sequential", "load"]
