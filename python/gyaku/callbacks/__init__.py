"""Callbacks: calls between the epochs and steps of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks.averages import EMA, SWA
from gyaku.callbacks.base import Callback
from gyaku.callbacks.base import Callbacks as Callbacks
from gyaku.callbacks.checkpoint import ModelCheckpoint
from gyaku.callbacks.logs import CSVLogger, JSONLogger
from gyaku.callbacks.rates import ReduceLROnPlateau
from gyaku.callbacks.stopping import EarlyStopping
from gyaku.callbacks.tensorboard import TensorBoard
from gyaku.names import missing_from

__all__ = ["EMA", "SWA", "CSVLogger", "Callback", "EarlyStopping", "JSONLogger"]
__all__ += ["ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)
