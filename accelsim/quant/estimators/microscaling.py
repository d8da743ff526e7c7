"""Blocks that share a power of two: MXINT8 of the OCP Microscaling Formats."""

from accelsim.hardware import Statistic
from accelsim.quant.estimators.estimator import Estimator, Shape
from accelsim.quant.estimators.registry import register
from accelsim.quant.microscaling import BLOCK
from accelsim.quant.observation import Observation


@register("mxint8")
class MxInt8(Estimator):
    """Each 32 channels of a position their own power of two, found as they leave the array.

    The layer's operands are in the same format. It needs a layer: of a tensor by itself it is the
    range of all blocks. (OCP Microscaling Formats 1.0; Rouhani et al. 2023.)
    """

    needs_current = True
    needs = frozenset({Statistic.MAGNITUDE, Statistic.TILES})
    local = True
    block = BLOCK

    def extent(self, shape: Shape, samples: int) -> Shape | None:
        """The channels of a block at one position."""
        return 1, 1, 1, BLOCK

    def observe(self, observed: Observation) -> None:
        """The past does not matter."""
