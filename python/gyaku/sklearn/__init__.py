"""Estimators of scikit-learn whose networks gyaku trains.

Importing this module does not import scikit-learn; asking it for a class does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gyaku.names import missing_from

if TYPE_CHECKING:  # the names of `__getattr__`, for type checkers
    from gyaku.sklearn.autoencoder import AutoencoderTransformer as AutoencoderTransformer
    from gyaku.sklearn.images import CNNClassifier as CNNClassifier
    from gyaku.sklearn.mlp import MLPClassifier as MLPClassifier
    from gyaku.sklearn.mlp import MLPRegressor as MLPRegressor
    from gyaku.sklearn.net import NetClassifier as NetClassifier
    from gyaku.sklearn.net import NetRegressor as NetRegressor
    from gyaku.sklearn.sequences import SequenceClassifier as SequenceClassifier
    from gyaku.sklearn.sequences import SequenceRegressor as SequenceRegressor

_HOMES = {
    "AutoencoderTransformer": "autoencoder",
    "CNNClassifier": "images",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "NetClassifier": "net",
    "NetRegressor": "net",
    "SequenceClassifier": "sequences",
    "SequenceRegressor": "sequences",
}

__all__ = ["AutoencoderTransformer", "CNNClassifier", "MLPClassifier", "MLPRegressor"]
__all__ += ["NetClassifier", "NetRegressor", "SequenceClassifier", "SequenceRegressor"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    _missing = missing_from(__name__)

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            return _missing(name)
        try:
            import sklearn  # noqa: F401
        except ImportError:
            raise ImportError(
                f"{name} needs scikit-learn 1.6 or later: pip install 'gyaku[sklearn]'"
            ) from None
        globals()[name] = found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
