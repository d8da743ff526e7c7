"""The update of a training step: stochastic gradient descent, with momentum where asked for."""

from collections.abc import Mapping

import numpy as np

from accelsim.network.evaluation import Array

MOMENTUM = 0.9
"""The share of the past in a momentum."""


class Descent:
    """What is learned, and its momentum, in one number format.

    A step is `v = 0.9 v + g, w = w - rate v`, without momentum `w = w - rate g` (Sutskever et al.
    2013, in the form that PyTorch has).
    """

    def __init__(self, parameters: Mapping[str, Array], rate: float, momentum: bool) -> None:
        self.parameters, self.rate = dict(parameters), rate
        self.velocity: dict[str, Array] | None = {} if momentum else None

    def stepped(self, name: str, gradient: Array) -> tuple[Array, Array]:
        """A parameter and its momentum after a step, in the parameter's format."""
        own = self.parameters[name]
        kind = own.dtype.type
        step = gradient.astype(kind)
        if self.velocity is not None:
            step = kind(MOMENTUM) * self.velocity.get(name, np.zeros_like(own)) + step
        return own - kind(self.rate) * step, step

    def step(self, gradients: Mapping[str, Array]) -> None:
        """Every parameter that has a gradient moves on."""
        for name, gradient in gradients.items():
            self.parameters[name], velocity = self.stepped(name, gradient)
            if self.velocity is not None:
                self.velocity[name] = velocity

    def widened(self) -> "Descent":
        """The same in float64."""
        wide = Descent(
            {name: array.astype(np.float64) for name, array in self.parameters.items()},
            self.rate, self.velocity is not None,
        )  # fmt: skip
        if self.velocity is not None:
            wide.velocity = {k: v.astype(np.float64) for k, v in self.velocity.items()}
        return wide
