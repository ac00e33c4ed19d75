"""Design questions of a model: the hyperparameters to decide before it can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from gyaku.layers.base import Layer
    from gyaku.model.model import Model
    from gyaku.table import Table

__all__ = ["design_questions"]

# Questions by the argument of a layer; any other argument is its own question.
_QUESTIONS = {
    "activation": "Which activation follows?",
    "alpha": "Which slope or scale has its negative part?",
    "axis": "Along which axis?",
    "broadcast": "May the inputs have different shapes?",
    "align_corners": "Do the corners keep their places?",
    "alpha_init": "Where do the slopes start?",
    "bias_init": "Where does the bias start?",
    "ceil_mode": "Does a last window that sticks out count?",
    "count_include_pad": "Does padding count in the mean?",
    "cropping": "How many elements are left out?",
    "dilation": "How far apart are the kernel elements?",
    "divisor_override": "Which divisor have the means?",
    "epsilon": "Which small constant is added to the variance?",
    "filters": "How many filters?",
    "forget_bias": "Where does the bias of the forget gate start?",
    "go_backwards": "Is the sequence read backwards?",
    "groups": "Into how many groups are the channels divided?",
    "kernel_size": "How large is the kernel?",
    "layer": "Which layer does it wrap?",
    "mask_zero": "Is id 0 padding?",
    "merge": "How are both directions merged?",
    "momentum": "How much weight has a batch in the running statistics?",
    "multiplier": "How many filters for each channel?",
    "norm_type": "Which norm of a window?",
    "offset": "Which number is added?",
    "output_padding": "How many pixels are added to the output?",
    "output_size": "Which size has the output?",
    "padding": "How many zeros surround the input?",
    "peepholes": "Do the gates see the cell state?",
    "projection": "How many elements does the output project to?",
    "rate": "Which fraction of the elements is dropped?",
    "recompute": "Are states computed anew in the backward pass, to save memory?",
    "recurrent_init": "Where do the recurrent weights start?",
    "reset_after": "Is the reset gate applied after the product?",
    "return_sequences": "Is there an output for each time step?",
    "return_state": "Are the last states outputs as well?",
    "scale": "Which factor scales the inputs?",
    "scaled": "When are the outputs scaled?",
    "shape": "Which shape?",
    "shared_axes": "Along which axes is a slope shared?",
    "stateful": "Does a batch begin with the states of the one before?",
    "stride": "How far does the kernel move?",
    "units": "How many units?",
    "use_bias": "Is there a bias?",
    "vocabulary_size": "How many words has the vocabulary?",
    "weight_init": "Where do the weights start?",
}


def design_questions(model: Model) -> Table:
    """Return the hyperparameters of a model: all that must be decided before it is trained.

    Parameters
    ----------
    model : Model
        The model. Shapes, parameters, work and memory are known once it is built.

    Returns
    -------
    Table
        For each layer its shape, parameters, floating-point operations and memory, as in
        `Model.summary`, then one row for each question and the answer; at last the questions of
        the whole: layers with weights, precision, loss, optimizer, batches and epochs.

    Raises
    ------
    TypeError
        If `model` is none.

    Notes
    -----
    Parameters are learnt; hyperparameters are decided beforehand, by experience or by validation.

    Examples
    --------
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Conv2D(20, 5), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(10))
    >>> model.build((28, 28, 1))
    >>> table = gk.design_questions(model)
    >>> [row[:2] for row in table.rows if "kernel?" in row[0]]
    [['  How large is the kernel? (kernel_size)', '5'],
     ['  How large is the kernel? (kernel_size)', '2 (default)']]
    """
    from gyaku.model.graph import Graph
    from gyaku.model.report import summary
    from gyaku.table import Table

    given: object = model
    if not isinstance(given, Graph):
        raise TypeError(f"design_questions: model must be a Model, got {given!r}")
    layers = summary(model)
    plan = model.plan if model.built else model.planned()[0]
    empty = [""] * (len(layers.header) - 1)
    rows = []
    for use, row in zip(plan.applications, layers.rows, strict=True):
        rows.append([row[0], "", *row[1:]])
        if use is plan.uses[id(use.layer)][0]:  # asked once
            rows += [[f"  {question}", answer, *empty] for question, answer in _of_layer(use.layer)]
    rows.append(["the whole", "", *empty])
    rows += [[f"  {question}", answer, *empty] for question, answer in _of_whole(model)]
    header = ["question", "answer", *layers.header[1:]]
    return Table(layers.title, header, rows, layers.footer)


def _of_whole(model: Model) -> list[tuple[str, str]]:
    """Return the questions of the model and its training, and the answers."""
    layers = model.plan.layers if model.built else model.planned()[0].layers
    optimizer = _text(model.optimizer, "that of fit")
    weighted = sum(bool(layer.params) for layer in layers) if model.built else "?"
    return [
        ("How many layers have weights?", f"{weighted} of {len(layers)}"),
        ("Which precision? (dtype)", str(model.dtype)),
        ("Which loss? (loss)", _text(model.loss, "that of fit")),
        ("Which optimizer, which learning rate? (optimizer)", optimizer),
        ("How many samples a step? (batch_size)", "that of fit"),
        ("How many epochs? (epochs)", "that of fit"),
    ]


def _of_layer(layer: Layer) -> list[tuple[str, str]]:
    """Return the questions of a layer's constructor, and the answers."""
    import inspect  # deferred, since it takes 5 ms

    found = []
    for name, parameter in inspect.signature(type(layer)).parameters.items():
        if name == "name" or not hasattr(layer, name):
            continue
        value = getattr(layer, name)
        known = parameter.default
        default = known is not parameter.empty and repr(value) == repr(known)
        question = f"{_QUESTIONS[name]} ({name})" if name in _QUESTIONS else name
        answer = _text(value, "kernel_size" if name == "stride" else "none")
        found.append((question, answer + " (default)" * default))
    return found


def _text(value: Any, absent: str) -> str:
    if value is None:
        return absent
    if isinstance(value, tuple) and all(isinstance(each, int) for each in value):
        return " x ".join(map(str, value))
    return value if isinstance(value, str) else repr(value)
