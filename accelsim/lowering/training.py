"""The three operations of a layer in a training step."""

from dataclasses import dataclass

from accelsim.lowering.operation import Operation
from accelsim.network import Layer
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT

FLOAT_BITS = 32


@dataclass(frozen=True)
class TrainingBits:
    """Widths of what the three operations of a layer read and store.

    `gradient` are those of an output's gradient on its way to the input, `gradient_to_weights` on
    its way to the weights: where the two differ, gradients are stored in both (the bifurcation of
    Banner et al., 2018: 8 and 16). `weight_gradient` None is float32.
    """

    input: int = 8
    weights: int = 8
    output: int = 8
    gradient: int = 8
    gradient_to_weights: int = 8
    weight_gradient: int | None = None

    @property
    def second_gradient(self) -> int | None:
        """Width of the second copy of a gradient, where there is one."""
        return self.gradient_to_weights if self.gradient_to_weights != self.gradient else None


def training_operations(
    layer: Layer, batch: int = 1, bits: TrainingBits | None = None
) -> dict[str, Operation]:
    """`forward`, `grad-input` and `grad-weight`; the gradients are named `layer.grad-input`, ...

    In a matrix product of two activations `grad-weight` is the gradient to the second. The gradient
    to a bias, the sum of the output's gradient over all positions, is no product.
    """
    bits, nest = bits or TrainingBits(), layer.nest(batch)
    return {
        FORWARD: Operation(
            nest, layer.name, bits.input, bits.weights, bits.output, bias=layer.has_bias
        ),
        GRAD_INPUT: Operation(
            nest.input_gradient(), f"{layer.name}.{GRAD_INPUT}", bits.gradient, bits.weights,
            bits.gradient, direction=GRAD_INPUT, second_output_bits=bits.second_gradient,
        ),
        GRAD_WEIGHT: Operation(
            nest, f"{layer.name}.{GRAD_WEIGHT}", bits.input, bits.gradient_to_weights,
            bits.weight_gradient or FLOAT_BITS, direction=GRAD_WEIGHT,
            output_float=bits.weight_gradient is None,
        ),
    }  # fmt: skip
