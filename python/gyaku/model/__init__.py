"""Models: graphs of layers, with training, reports and files."""

from gyaku.model.design import design_questions
from gyaku.model.model import Model
from gyaku.model.residual import Residual
from gyaku.model.sequential import Sequential
from gyaku.model.storage import load

__all__ = ["Model", "Residual", "Sequential", "design_questions", "load"]
