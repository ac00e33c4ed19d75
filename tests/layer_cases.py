"""A row for each way to make a layer; the tests of layers, of replay and of files walk them."""

from __future__ import annotations

import numpy as np
from layer_case import LayerCase
from plain_layer_cases import PLAIN_LAYER_CASES

import gyaku as gk
from gyaku.layers.activation import ACTIVATIONS
from gyaku.ops import TABLE


class Scale(gk.Layer):
    def build(self, input_shape):
        self.add_param("scale", input_shape, "ones")
        return input_shape

    def forward(self, x, training=False):
        self.x = x
        return x * self.params["scale"]

    def backward(self, dy):
        self.grads["scale"] = (dy * self.x).sum(axis=0)
        return dy * self.params["scale"]


class Sum(gk.Layer):
    """Neither a constructor, nor `build`, nor `training`."""

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=1, keepdims=True)

    def backward(self, dy):
        return np.broadcast_to(dy, self.shape)


class Product(gk.Layer):
    """Two inputs, as a student writes it."""

    def forward(self, a, b):
        self.a, self.b = a, b
        return a * b

    def backward(self, dy):
        return dy * self.b, dy * self.a


# The first word of a name is the layer's class.
LAYER_CASES: dict[str, LayerCase] = {
    "Dense": LayerCase(lambda: gk.Dense(3), (4,), flops=3 * (2 * 4 + 1)),
    "Dense without bias": LayerCase(lambda: gk.Dense(3, use_bias=False), (4,)),
    "Dense on sequences": LayerCase(lambda: gk.Dense(3, "tanh"), (5, 4)),
    **{
        f"Dense with {name}": LayerCase(lambda name=name: gk.Dense(3, name), (4,))
        for name in ACTIVATIONS
    },
    "Dense with a layer": LayerCase(lambda: gk.Dense(3, gk.LeakyReLU(0.3)), (4,)),
    "Flatten": LayerCase(gk.Flatten, (2, 3)),
    "Rescaling": LayerCase(lambda: gk.Rescaling(0.3), (2, 3)),
    "Rescaling with an offset": LayerCase(lambda: gk.Rescaling(-0.3, 2.0), (7,)),
    "Normalization": LayerCase(lambda: gk.Normalization((1.0, -2.0), (0.5, 0.0)), (3, 2), flops=12),
    "Normalization of all alike": LayerCase(lambda: gk.Normalization(0.5, 2.0), (4,)),
    "Reshape": LayerCase(lambda: gk.Reshape((3, -1)), (6,)),
    "Embedding": LayerCase(lambda: gk.Embedding(7, 3), (5,), vocabulary=7),
    "Embedding with padding": LayerCase(
        lambda: gk.Embedding(4, 2, mask_zero=True, weight_init="he"), (3, 2), vocabulary=4
    ),
    "Masking": LayerCase(gk.Masking, (4, 3), flops=12),
    "Masking by a value": LayerCase(lambda: gk.Masking(-1.0), (3, 2, 2)),
    "Dropout": LayerCase(lambda: gk.Dropout(0.4), (50,)),
    "Dropout of the paper": LayerCase(lambda: gk.Dropout(0.4, scaled="prediction"), (50,)),
    **{
        cls.__name__: LayerCase(cls, (7,), flops=TABLE[cls.op].flops([(7,)], [(7,)]))
        for cls in ACTIVATIONS.values()
    },
    "LeakyReLU with alpha": LayerCase(lambda: gk.LeakyReLU(0.3), (7,)),
    "ELU with alpha": LayerCase(lambda: gk.ELU(0.5), (7,)),
    "Softmax on images": LayerCase(gk.Softmax, (2, 3)),
    "Conv2D": LayerCase(lambda: gk.Conv2D(3, 3), (5, 4, 2), flops=3 * 2 * 3 * (2 * 18 + 1)),
    "Conv2D with all it takes": LayerCase(
        lambda: gk.Conv2D(
            *(4, (3, 2)),
            stride=(1, 2),
            padding=((1, 0), (2, 1)),
            dilation=(2, 1),
            groups=2,
            activation="tanh",
        ),
        (5, 4, 2),
    ),
    "Conv2D with padding": LayerCase(
        lambda: gk.Conv2D(2, 3, stride=2, padding="same", activation="gelu", use_bias=False),
        (5, 4, 1),
    ),
    "Conv1D": LayerCase(
        lambda: gk.Conv1D(3, 3, stride=2, padding=(2, 1), activation="elu"),
        (7, 2),
        flops=4 * 3 * (2 * 6 + 1 + TABLE["elu"].flops([(1,)], [(1,)])),
    ),
    "Conv2D of lists": LayerCase(
        lambda: gk.Conv2D(
            *(4, [3, 2]), stride=[1, 2], padding=[[1, 0], [0, 1]], activation=gk.LeakyReLU(0.2)
        ),
        (5, 4, 2),
    ),
    "Conv2D of groups without bias": LayerCase(
        lambda: gk.Conv2D(4, 2, groups=2, use_bias=False, weight_init="he"),
        (3, 3, 4),
        flops=2 * 2 * 4 * 2 * 4 * 2,
    ),
    "Conv1D with groups": LayerCase(lambda: gk.Conv1D(4, 2, dilation=3, groups=2), (7, 2)),
    "Conv2DTranspose": LayerCase(
        lambda: gk.Conv2DTranspose(3, 3), (3, 2, 2), flops=6 * 9 * 3 * 2 * 2 + 5 * 4 * 3
    ),
    "Conv2DTranspose with all it takes": LayerCase(
        lambda: gk.Conv2DTranspose(
            *(4, 3),
            stride=2,
            padding=1,
            output_padding=(1, 0),
            groups=2,
            activation="sigmoid",
        ),
        (3, 2, 2),
    ),
    "DepthwiseConv2D": LayerCase(
        lambda: gk.DepthwiseConv2D(3, multiplier=2, padding=1),
        (3, 4, 3),
        flops=12 * 6 * (2 * 9 + 1),
    ),
    "MaxPool2D": LayerCase(gk.MaxPool2D, (4, 5, 2), flops=4 * 5 * 2),
    "MaxPool2D overlapping": LayerCase(
        lambda: gk.MaxPool2D(3, 2, padding=1, dilation=(1, 2), ceil_mode=True),
        (6, 6, 2),
    ),
    "MaxPool1D": LayerCase(lambda: gk.MaxPool1D(3, 2, padding=(1, 0)), (7, 2)),
    "AvgPool2D": LayerCase(lambda: gk.AvgPool2D((2, 3)), (4, 5, 2)),
    "AvgPool2D overlapping": LayerCase(
        lambda: gk.AvgPool2D(3, 2, padding=1, ceil_mode=True, count_include_pad=True),
        (4, 4, 2),
    ),
    "AvgPool1D": LayerCase(lambda: gk.AvgPool1D(3, 2, padding="same"), (6, 2), flops=6 * 2),
    "LPPool2D": LayerCase(lambda: gk.LPPool2D(2, (2, 3)), (4, 5, 2), flops=4 * 5 * 2),
    "LPPool2D of magnitudes": LayerCase(lambda: gk.LPPool2D(1, 2, padding=1), (4, 5, 2)),
    "LPPool2D overlapping": LayerCase(
        lambda: gk.LPPool2D(2.5, 3, 2, padding="same", ceil_mode=True), (4, 4, 2)
    ),
    "GlobalMaxPool2D": LayerCase(gk.GlobalMaxPool2D, (3, 4, 2)),
    "GlobalAvgPool2D": LayerCase(gk.GlobalAvgPool2D, (3, 4, 2), flops=3 * 4 * 2),
    "BatchNorm": LayerCase(gk.BatchNorm, (4,)),
    "BatchNorm on images": LayerCase(lambda: gk.BatchNorm(epsilon=0.1), (2, 3, 2)),
    "BatchNorm without parameters": LayerCase(
        lambda: gk.BatchNorm(scale=False, shift=False, momentum=None), (2, 3)
    ),
    "BatchNorm without statistics": LayerCase(
        lambda: gk.BatchNorm(shift=False, track_running_stats=False), (2, 3)
    ),
    "LayerNorm": LayerCase(gk.LayerNorm, (4,)),
    "LayerNorm over two axes": LayerCase(lambda: gk.LayerNorm(axes=2), (2, 2, 3), flops=96),
    "LayerNorm without parameters": LayerCase(
        lambda: gk.LayerNorm(scale=False, shift=False), (2, 3)
    ),
    "GroupNorm": LayerCase(lambda: gk.GroupNorm(2), (4,)),
    "GroupNorm on images": LayerCase(lambda: gk.GroupNorm(2, 0.1), (2, 3, 4), flops=192),
    "GroupNorm without parameters": LayerCase(
        lambda: gk.GroupNorm(3, scale=False, shift=False), (3, 6)
    ),
    "InstanceNorm": LayerCase(gk.InstanceNorm, (3, 2)),
    "InstanceNorm on images": LayerCase(lambda: gk.InstanceNorm(0.1, scale=False), (2, 3, 4)),
    "RMSNorm": LayerCase(gk.RMSNorm, (4,), flops=16),
    "RMSNorm over two axes": LayerCase(lambda: gk.RMSNorm(0.1, axes=2), (2, 3)),
    "RMSNorm without scale": LayerCase(lambda: gk.RMSNorm(scale=False), (2, 3)),
    "LocalResponseNorm": LayerCase(lambda: gk.LocalResponseNorm(3, 0.5), (2, 5), flops=80),
    "LocalResponseNorm of an even size": LayerCase(
        lambda: gk.LocalResponseNorm(4, 2.0, 0.5, 2.0), (3,)
    ),
    "LayerNorm on sequences": LayerCase(lambda: gk.LayerNorm(epsilon=0.1), (2, 3)),
    "Add": LayerCase(gk.Add, ((3,), (3,), (3,)), flops=2 * 3),
    "Concatenate": LayerCase(gk.Concatenate, ((2, 1), (2, 3))),
    "Concatenate along the first axis": LayerCase(
        lambda: gk.Concatenate(1), ((2, 3), (1, 3), (1, 3))
    ),
    "ArrayOperation": LayerCase(lambda: gk.layers.ArrayOperation("multiply"), ((3, 4), (3, 1))),
    "ArrayOperation with a constant": LayerCase(
        lambda: gk.layers.ArrayOperation("subtract", constants=[[1, 1, 2], None]), (3, 2)
    ),
    "ArrayOperation with options": LayerCase(
        lambda: gk.layers.ArrayOperation("take", {"indices": [1, 0, 1], "axis": 2}), (2, 2)
    ),
    "ArrayOperation over axes": LayerCase(
        lambda: gk.layers.ArrayOperation("l2", {"axes": [1], "keepdims": False}), (3, 2)
    ),
    "SimpleRNN": LayerCase(
        lambda: gk.SimpleRNN(3), (5, 2), flops=5 * (2 * (2 + 3) * 3 + 2 * 3 + 3)
    ),
    "SimpleRNN with sequences": LayerCase(
        lambda: gk.SimpleRNN(3, "relu", return_sequences=True, recompute=True), (4, 2)
    ),
    "SimpleRNN without bias": LayerCase(lambda: gk.SimpleRNN(2, use_bias=False), (3, 2)),
    "LSTM": LayerCase(lambda: gk.LSTM(3), (4, 2), flops=4 * (2 * (2 + 3) * 12 + 13 * 3 + 12)),
    "LSTM with all it takes": LayerCase(
        lambda: gk.LSTM(
            *(3,),
            return_sequences=True,
            go_backwards=True,
            recompute=True,
            peepholes=True,
            projection=2,
            forget_bias=2.0,
        ),
        (4, 2),
    ),
    "LSTM without bias": LayerCase(lambda: gk.LSTM(2, use_bias=False, projection=1), (3, 2)),
    "LSTM with peepholes": LayerCase(lambda: gk.LSTM(2, peepholes=True, go_backwards=True), (3, 2)),
    "LSTM from a state": LayerCase(lambda: gk.LSTM(3), ((4, 2), (3,), (3,))),
    "GRU from a state": LayerCase(
        lambda: gk.GRU(3, return_sequences=True, recompute=True), ((4, 2), (3,))
    ),
    "Bidirectional from states": LayerCase(
        lambda: gk.Bidirectional(gk.LSTM(3, return_sequences=True)),
        ((4, 2), (3,), (3,), (3,), (3,)),
    ),
    "GRU": LayerCase(lambda: gk.GRU(3), (4, 2), flops=4 * (2 * (2 + 3) * 9 + 11 * 3 + 9)),
    "GRU with all it takes": LayerCase(
        lambda: gk.GRU(
            3, return_sequences=True, go_backwards=True, recompute=True, reset_after=False
        ),
        (4, 2),
    ),
    "GRU without bias": LayerCase(lambda: gk.GRU(2, use_bias=False), (3, 2)),
    "Bidirectional": LayerCase(
        lambda: gk.Bidirectional(gk.GRU(2)), (3, 2), flops=2 * 3 * (2 * (2 + 2) * 6 + 11 * 2 + 6)
    ),
    "Bidirectional with sequences": LayerCase(
        lambda: gk.Bidirectional(gk.LSTM(2, return_sequences=True, recompute=True)), (3, 2)
    ),
    "Bidirectional sum": LayerCase(
        lambda: gk.Bidirectional(gk.SimpleRNN(2, return_sequences=True), "sum"), (3, 2)
    ),
    "Bidirectional product": LayerCase(lambda: gk.Bidirectional(gk.GRU(2), "mul"), (3, 2)),
    "Bidirectional mean": LayerCase(lambda: gk.Bidirectional(gk.LSTM(2), "ave"), (3, 2)),
    "TimeDistributed": LayerCase(
        lambda: gk.TimeDistributed(gk.Conv1D(2, 2)), (3, 4, 2), flops=3 * 3 * 2 * (2 * 4 + 1)
    ),
    "TimeDistributed recurrent": LayerCase(lambda: gk.TimeDistributed(gk.LSTM(2)), (2, 3, 2)),
    "TimeDistributed random": LayerCase(lambda: gk.TimeDistributed(gk.Dropout(0.4)), (5, 10)),
    "TimeDistributed with statistics": LayerCase(
        lambda: gk.TimeDistributed(gk.BatchNorm()), (3, 4)
    ),
    "Product": LayerCase(Product, ((3,), (3,))),
    "Scale": LayerCase(Scale, (7,)),
    "Sum": LayerCase(Sum, (7,)),
    **PLAIN_LAYER_CASES,
}
