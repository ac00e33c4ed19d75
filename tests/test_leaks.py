"""Models, batch shapes and steps leave no memory behind."""

from __future__ import annotations

import gc
import weakref

import pytest
from leaks import X, built, fit, growth, models, shapes, steps


def test_a_trained_model_is_freed() -> None:
    model = built()
    fit(model)
    model.predict(X)
    left = [weakref.ref(each) for each in (model, *model.layers)]
    del model
    gc.collect()
    assert not [each() for each in left if each() is not None]


# A leak of 100 kB for each model, 60 kB for each shape or 8 kB for each step would be seen.
@pytest.mark.parametrize(("work", "count"), [(models, 60), (shapes, 100), (steps, 1000)])
def test_the_process_does_not_grow(work, count: int) -> None:
    assert growth(work, count) < 6
