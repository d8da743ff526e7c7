import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, StepTensors

CONV = Conv2d("conv", 3, 4, 3, 9, 9, padding=1)
LAYERS = [CONV, Linear("fc", 6, 5, bias=True, rows=2), MatMul("qk", 3, 4, 5, copies=2)]


def test_nan_and_infinity_are_refused_with_count_and_first_index():
    bad = np.ones((2, 3))
    bad[0, 2] = np.nan
    bad[1, 1] = -np.inf
    with pytest.raises(AccelsimError, match=r"weights holds 2 NaN or infinite .* \(0, 2\) \(nan\)"):
        StepTensors(np.ones(3), bad)


@pytest.mark.parametrize("value", [None, "text", [1j], [[1], [1, 2]], [object()]])
def test_what_is_no_array_of_real_numbers_is_refused(value):
    with pytest.raises(AccelsimError, match="input"):
        StepTensors(value, np.ones(3))


def test_tensors_are_floats_and_read_only():
    step = StepTensors(np.ones(3, np.float32), np.ones(3, np.int8))
    assert (step.input.dtype, step.weights.dtype) == (np.float32, np.float64)
    with pytest.raises(ValueError, match="read-only"):
        step.input[0] = 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": np.ones((1, 7))}, r"step 1: layer 'fc': input has shape \(1, 7\)"),
        ({"weights": np.ones((6, 5))}, r"weights has shape \(6, 5\), expected \(5, 6\)"),
        ({"bias": np.ones(6)}, r"bias has shape \(6,\), expected \(5,\)"),
        ({"bias": None}, "bias is missing"),
    ],
)
def test_shapes_are_held_against_the_layer(changes, message):
    good = {"input": np.ones((2, 6)), "weights": np.ones((5, 6)), "bias": np.ones(5)}
    layer = LAYERS[1]
    assert StepTensors(**good).check(layer) == 1
    with pytest.raises(AccelsimError, match=message):
        StepTensors(**(good | changes)).check(layer, "step 1")


def test_a_bias_that_the_layer_lacks_is_refused():
    step = StepTensors(np.ones((1, 3, 9, 9)), np.ones((4, 3, 3, 3)), np.ones(4))
    with pytest.raises(AccelsimError, match="bias is given, but the layer has none"):
        step.check(CONV)
