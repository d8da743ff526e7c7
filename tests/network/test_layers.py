import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul


def by_the_nest(layer, x, w):
    """The layer computed in nest layout by the house's formula, one output element at a time."""
    batch = layer.batch_of(x)
    nest = layer.nest(batch)
    x, w = layer.to_nest_input(x), layer.to_nest_weights(w)
    assert x.shape == nest.input_shape
    assert w.shape == nest.weight_shape
    assert x.flags.c_contiguous
    assert w.flags.c_contiguous
    out = np.zeros(nest.output_shape, dtype=np.int64)
    pads = ((0, 0), (nest.pad_top, nest.pad_bottom), (nest.pad_left, nest.pad_right), (0, 0))
    x = np.pad(x, pads)
    for image, row, column, channel in itertools.product(*map(range, out.shape)):
        copy, group = image // nest.batch, channel // nest.out_channels
        vector = w[copy * out.shape[3] + channel]
        for kh, kw, c in itertools.product(*map(range, vector.shape)):
            out[image, row, column, channel] += (
                x[
                    image,
                    row * nest.stride_h + kh * nest.dilation_h,
                    column * nest.stride_w + kw * nest.dilation_w,
                    group * nest.in_channels + c,
                ]
                * vector[kh, kw, c]
            )
    back = layer.from_nest_output(out)
    assert back.flags.c_contiguous
    assert back.shape == layer.output_shape(batch)
    return back


def naive_conv(layer, x, w):
    """NCHW and OIHW, straight from the definition."""
    top, left, bottom, right = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    out = np.zeros(layer.output_shape(len(x)), dtype=np.int64)
    per_in, per_out = w.shape[1], layer.out_channels // layer.groups
    for b, o, i, j in itertools.product(*map(range, out.shape)):
        for c, kh, kw in itertools.product(*map(range, w.shape[1:])):
            row = i * layer.stride[0] + kh * layer.dilation[0]
            column = j * layer.stride[1] + kw * layer.dilation[1]
            out[b, o, i, j] += x[b, (o // per_out) * per_in + c, row, column] * w[o, c, kh, kw]
    return out


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2),
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.one_of(st.just("same"), st.integers(0, 2), st.tuples(*[st.integers(0, 2)] * 4)),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_convolution_is_its_nest(batch, groups, c, o, kernel, stride, padding, seed):
    layer = Conv2d(
        "conv",
        groups * c,
        groups * o,
        kernel,
        5,
        4,
        stride,
        padding,
        groups=groups,
        dilation=(1, 2),
    )
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, layer.input_shape(batch))
    w = rng.integers(-9, 9, layer.weight_shape())
    assert np.array_equal(by_the_nest(layer, x, w), naive_conv(layer, x, w))


def test_a_linear_layer_is_its_nest():
    layer = Linear("fc", 5, 3, rows=2)
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 9, (6, 5)), rng.integers(-9, 9, (3, 5))
    assert np.array_equal(by_the_nest(layer, x, w), x @ w.T)
    assert layer.nest(3).input_shape == (6, 1, 1, 5)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_matrix_product_is_its_nest(batch):
    layer = MatMul("qk", m=4, k=5, n=3, copies=2)
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 9, (2 * batch, 4, 5)), rng.integers(-9, 9, (2 * batch, 5, 3))
    assert np.array_equal(by_the_nest(layer, x, w), x @ w)
    assert layer.nest(batch).copies == 2 * batch


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3))
def test_same_padding_gives_ceil_of_size_over_stride(size, kernel, stride, dilation):
    layer = Conv2d("c", 1, 1, kernel, size, size, stride, "same", dilation)
    assert layer.output_shape()[2:] == (-(-size // stride),) * 2
    top, left, bottom, right = layer.padding
    assert top == left
    assert bottom == right
    assert 0 <= bottom - top <= 1


def test_equal_fields_make_equal_layers():
    first = Conv2d("c", 4, 4, 3, 8, 8, padding=1)
    assert first == Conv2d("c", 4, 4, [3, 3], 8, 8, (1, 1), (1, 1, 1, 1), bias=False)
    assert hash(first) == hash(Conv2d("c", 4, 4, (3, 3), 8, 8, padding=(1, 1)))
    assert first != Conv2d("d", 4, 4, 3, 8, 8, padding=1)
    assert Conv2d.depthwise("c", 4, 3, 8, 8) == Conv2d("c", 4, 4, 3, 8, 8, groups=4)
    assert Conv2d.depthwise("c", 4, 3, 8, 8).nest().is_depthwise


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Conv2d("c", 4, 4, 9, 8, 8), r"'c': kernel_height = 9: .* padded image only 8"),
        (lambda: Conv2d("c", 4, 6, 3, 8, 8, groups=4), r"groups = 4: must divide out_channels = 6"),
        (lambda: Conv2d("c", 3, 4, 3, 8, 8, groups=2), r"groups = 2: must divide in_channels = 3"),
        (lambda: Conv2d("c", 0, 4, 3, 8, 8), r"in_channels = 0: must be a whole number from 1"),
        (lambda: Conv2d("c", 4, 4, (3, 3, 3), 8, 8), r"kernel = \(3, 3, 3\): must be a whole"),
        (lambda: Conv2d("c", 4, 4, 3, 8, 8, stride=0), r"stride = 0: must be"),
        (lambda: Conv2d("c", 4, 4, 3, 8, 8, padding="valid"), r"padding = 'valid': the only word"),
        (lambda: Conv2d("c", 4, 4, 3, 8, 8, padding=(1, 1, 1)), r"padding = \(1, 1, 1\): must be"),
        (lambda: Conv2d("c", 4, 4, 3, 8, 8, padding=-1), r"padding = -1: must be"),
        (lambda: Conv2d("c", 4, 4, 3, 8, 8, bias=1), r"bias = 1: must be true or false"),
        (lambda: Conv2d("", 4, 4, 3, 8, 8), r"layer name = '': must be a string"),
        (lambda: Conv2d("a b", 4, 4, 3, 8, 8), r"layer name = 'a b'"),
        (lambda: Conv2d.depthwise("c", -1, 3, 8, 8), r"channels = -1"),
        (lambda: Linear("f", 4, None), r"out_features = None"),
        (lambda: Linear("f", 2**20, 2**20), r"'f': weight_elements = .* at most"),
        (lambda: MatMul("m", 1, 2, 2**30), r"n = 1073741824"),
        (lambda: Linear("f", 4, 4).nest(0), r"batch = 0"),
    ],
)
def test_impossible_layers_are_refused_in_one_line(build, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        build()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("convert", "shape", "message"),
    [
        (
            "to_nest_input",
            (1, 5, 8, 8),
            r"'c': input .*\(1, 5, 8, 8\), expected \(batch, 4, 8, 8\)",
        ),
        ("to_nest_input", (0, 4, 8, 8), r"input has shape"),
        ("to_nest_input", (4, 8, 8), r"input has shape"),
        ("to_nest_weights", (12, 4, 3, 3), r"weights .* expected \(6, 4, 3, 3\)"),
        ("to_nest_weights", (6, 4, 3, 2), r"weights .* expected \(6, 4, 3, 3\)"),
        ("to_nest_bias", (5,), r"bias has shape \(5,\), expected \(6,\)"),
        ("from_nest_output", (1, 6, 6, 5), r"output .* expected \(batch, 6, 6, 6\)"),
    ],
)
def test_arrays_of_another_shape_are_refused(convert, shape, message):
    layer = Conv2d("c", 4, 6, 3, 8, 8)
    with pytest.raises(AccelsimError, match=message):
        getattr(layer, convert)(np.zeros(shape))


def test_a_bias_is_one_element_per_output_channel():
    layer = Conv2d("c", 4, 6, 3, 8, 8, bias=True)
    assert layer.has_bias
    assert layer.to_nest_bias(np.arange(6)).tolist() == list(range(6))
    assert not MatMul("m", 2, 2, 2).has_bias


def test_dtypes_pass_through():
    layer = Conv2d("c", 4, 6, 3, 8, 8)
    assert layer.to_nest_input(np.zeros((1, 4, 8, 8), np.float32)).dtype == np.float32
