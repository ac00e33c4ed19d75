#!/usr/bin/env bash
# keras 3.15.1 on tensorflow-cpu 2.21.0 and on jax 0.10.2: behind `Embedding(mask_zero=True)`, a
# recurrent layer skips the padded steps. One would expect it to skip them as well when it is called
# with `initial_state`, as in a decoder; and `zero_output_for_mask` is documented as "only used when
# `return_sequences` is `True` and `mask` is provided".
#
# Seen, eagerly and in functional models alike:
# - `layer(x, initial_state=s)` does not get the mask of x, without a warning: the last state is that
#   behind the padding, also for a state of zeros, with which the layer alone gives another result.
#   With `mask=...` in the call it is right;
# - a layer with `zero_output_for_mask=True` that returns its last output alone returns zeros for a
#   padded sequence, instead of the output of its last real step.
#
# So encoders and decoders are trained on padding, and a converter has to drop the mask where Keras
# does. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.10.2
cat > "$work/masks.py" <<'PYTHON'
import keras
import numpy as np

padded, alone = np.array([[1, 2, 3, 0, 0, 0]]), np.array([[1, 2, 3]])
embedding = keras.layers.Embedding(7, 2, mask_zero=True)
zeros = np.zeros((1, 3), "float32")
for kind in (keras.layers.SimpleRNN, keras.layers.GRU):
    layer, vectors = kind(3), embedding(padded)
    expected = np.array(layer(embedding(alone)))
    without = np.array(layer(vectors))
    given = np.array(layer(vectors, initial_state=zeros))
    masked = np.array(layer(vectors, initial_state=zeros, mask=embedding.compute_mask(padded)))
    flagged = kind(3, zero_output_for_mask=True)
    flagged(vectors)
    flagged.set_weights(layer.get_weights())
    last = np.array(flagged(vectors))
    apart = np.abs(given - expected).max()
    print(f"{keras.backend.backend()}: {kind.__name__}: apart by {apart:.3f}, flagged {last[0]}")
    assert np.allclose(without, expected, atol=1e-6)
    assert np.allclose(masked, expected, atol=1e-6)
    assert apart > 1e-3
    assert np.abs(expected).min() > 0 and not last.any()
PYTHON
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/masks.py"
done
