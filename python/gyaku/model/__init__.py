"""Models: layers that are connected, trained, looked at, saved and loaded."""

from gyaku.model.model import Model
from gyaku.model.residual import Residual
from gyaku.model.sequential import Sequential
from gyaku.model.storage import load

__all__ = ["Model", "Residual", "Sequential", "load"]
