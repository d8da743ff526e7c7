"""From accumulators to outputs: the integers that the requantizer is given."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.numerics import RequantizationMode, fixed_point_scales
from accelsim.quant.checks import finite_array, frozen, one_of, positive
from accelsim.quant.grid import Grid


@dataclass(frozen=True, eq=False)
class Requantization:
    """What the requantize kernel takes, per output channel of the nest.

    q = clamp(round(acc * multipliers[n] * 2**-shifts[n]) + zero_point, minimum, maximum), rounded
    as the mode says; stochastic rounding draws from (seed, element index in the channels-last
    output). In the float32 mode multipliers and shifts hold the float32 scale itself, which is an
    integer of 24 bits times a power of two.
    """

    multipliers: NDArray[np.int64]
    shifts: NDArray[np.int64]
    zero_point: int
    minimum: int
    maximum: int
    mode: RequantizationMode
    seed: int
    second: "Requantization | None" = None
    """How the same outputs are stored once more, where an operation stores them twice."""

    @property
    def ratios(self) -> NDArray[np.float64]:
        """The real factors that the multipliers and shifts stand for, exactly."""
        return np.ldexp(self.multipliers.astype(np.float64), -self.shifts)


def requantization(
    input_scale: float,
    weight_scales: ArrayLike,
    output_grid: Grid,
    mode: RequantizationMode | str = RequantizationMode.NEAREST_EVEN,
    seed: int = 0,
    tensor_name: str = "",
) -> Requantization:
    """The requantizer's integers for input_scale * weight_scales[n] / output scale.

    The ratio is reproduced within 2**-31 of itself where it lies in [2**-32, 2**31), see
    `numerics.fixed_point_scales`; beyond, it loses bits or saturates. In the mode f32-rne it is
    (input_scale * weight_scales[n]) / output scale, all in float32, and reproduced exactly from
    2**-39 to below 2**31; what lies beyond takes every accumulator to 0 or to a limit either way.
    """
    mode = RequantizationMode(one_of("mode", mode, tuple(RequantizationMode)))
    scales = accumulator_scales(input_scale, weight_scales)
    with np.errstate(over="ignore", under="ignore"):
        if mode is RequantizationMode.F32_RNE:
            ratios = _float32_ratios(input_scale, weight_scales, output_grid.scale)
        else:
            ratios = scales / output_grid.scale
    # Infinity would be refused below, but saturation is what a requantizer does with it.
    multipliers, shifts = fixed_point_scales(np.minimum(ratios, np.finfo(np.float64).max))
    return Requantization(
        frozen(multipliers),
        frozen(shifts),
        output_grid.zero_point,
        output_grid.integers.minimum,
        output_grid.integers.maximum,
        mode,
        kernel_seed(seed, tensor_name),
    )


def _float32_ratios(
    input_scale: float, weight_scales: ArrayLike, output_scale: float
) -> NDArray[np.float64]:
    """The quotients in float32; a scale that float32 has no positive number for is refused."""
    x = _float32("input_scale", input_scale)
    w = _float32("weight_scales", np.atleast_1d(weight_scales))
    ratios: NDArray[np.float32] = (x * w) / _float32("output scale", output_scale)
    return ratios.astype(np.float64)


def _float32(field: str, scales: ArrayLike) -> NDArray[np.float32]:
    exact = np.asarray(scales, dtype=np.float64)
    rounded = exact.astype(np.float32)
    lost = ~(np.isfinite(rounded) & (rounded > 0))
    if lost.any():
        raise AccelsimError(
            f"{field} = {float(exact[lost].flat[0])!r}: must be a positive float32, 1.4e-45 to "
            "3.4e+38, in the requantization mode f32-rne"
        )
    return rounded


def accumulator_scales(input_scale: float, weight_scales: ArrayLike) -> NDArray[np.float64]:
    """The real value of one unit of an accumulator, per output channel."""
    weights = np.atleast_1d(finite_array("weight_scales", weight_scales))
    if weights.ndim != 1 or weights.size == 0:
        raise AccelsimError(
            f"weight_scales has shape {weights.shape}: must be a vector of at least one scale"
        )
    positive("weight_scales", float(weights.min()))
    with np.errstate(over="ignore", under="ignore"):
        scales = np.asarray(positive("input_scale", input_scale) * weights, dtype=np.float64)
    if not np.isfinite(scales).all():
        raise AccelsimError(
            f"input_scale = {input_scale!r}: its product with the weight scale "
            f"{float(weights.max())!r} must be finite"
        )
    return scales


def kernel_seed(seed: int, tensor_name: str) -> int:
    """A seed for one tensor, from 0 to 2**63 - 1, the same on every machine and in every run."""
    digest = hashlib.blake2b(f"{seed}:{tensor_name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
