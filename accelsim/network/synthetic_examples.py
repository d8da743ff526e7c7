"""Made-up inputs of a network that can be told apart, and their labels: something to learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.network.loss import LABELS, classes_of, target_shape
from accelsim.network.network import Network
from accelsim.network.synthetic_network import SyntheticInputs, normal_draws, random_stream

Array = NDArray[Any]

NOISE, PATTERN = 0.6, 0.8
"""Shares of a draw's standard deviation: 0.6^2 + 0.8^2 = 1."""

_LABELS, _PATTERN = 16, 17


class SyntheticExamples(SyntheticInputs):
    """Inputs of a network step by step, as `SyntheticInputs`, and a label for each sample.

    A class has a pattern of its own in each input, standard normal draws that are the same in all
    steps; in the place of N an input takes `0.6 * N + 0.8 * pattern`, which has the same variance.
    Labels are drawn evenly from as many classes as the output with most channels tells apart;
    `OUTPUT.labels` holds them, the same at all positions of a sample, modulo the classes of the
    output.
    """

    def _arrays(self, stream: int, step: int, scale: float, mean: float) -> dict[str, Array]:
        classes = [classes_of(self.network.shape_of(name)) for name in self.network.outputs]
        draws = random_stream(self.seed, _LABELS, "", 2 * step + (stream != 0))
        labels = draws.integers(max(classes), size=self.batch)
        arrays = super()._arrays(stream, step, 1.0, 0.0)
        patterns = {label: self._pattern(int(label)) for label in np.unique(labels)}
        for name, noise in arrays.items():
            pattern = np.stack([patterns[label][name] for label in labels])
            signal = np.float32(NOISE) * noise + np.float32(PATTERN) * pattern
            arrays[name] = np.float32(scale) * (signal + np.float32(mean))
        return arrays | labels_of(self.network, labels)

    def _pattern(self, label: int) -> dict[str, Array]:
        """What a class looks like in each input."""
        return {
            name: normal_draws(self.seed, _PATTERN, name, label, shape)
            for name, shape in self.network.inputs.items()
        }


def labels_of(network: Network, labels: Array) -> dict[str, Array]:
    """The label of each sample at every position of every output."""
    found = {}
    for name in network.outputs:
        shape = target_shape(network, name, LABELS, len(labels))
        own = labels % classes_of(network.shape_of(name))
        spread = own.reshape(-1, *[1] * (len(shape) - 1))
        found[f"{name}.{LABELS}"] = np.broadcast_to(spread, shape).copy()
    return found
