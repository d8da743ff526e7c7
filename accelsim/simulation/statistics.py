"""Whether a machine's statistics unit keeps what a scheme needs."""

from collections.abc import Collection

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware, Statistic
from accelsim.network import Layer, MatMul
from accelsim.program import FORWARD
from accelsim.quant import Scheme


def layer_needs(layer: Layer, scheme: Scheme) -> frozenset[Statistic]:
    """What a layer's scheme needs of the unit: what its estimator does, and channels apart.

    The latter where weights have a scale for each output channel: in the forward product of a layer
    that has weights.
    """
    scaled = layer.operation == FORWARD and not isinstance(layer, MatMul)
    return needs_of(scheme, weights_scaled=scaled)


def needs_of(scheme: Scheme, *, weights_scaled: bool) -> frozenset[Statistic]:
    """The same where it is known whether the scheme's scales of weights are used."""
    needs = scheme.new_estimator().needs
    apart = weights_scaled and scheme.weight_scales == "per-channel" and scheme.block is None
    return needs | {Statistic.CHANNELS} if needs and apart else needs


def check_unit(scheme: Scheme, needs: Collection[Statistic], hardware: Hardware) -> None:
    """Raise where the unit lacks what is needed."""
    lacking = hardware.stat_unit.lacking(needs)
    if lacking:
        raise AccelsimError(f"scheme '{scheme.label}': needs {'; '.join(lacking)}")
