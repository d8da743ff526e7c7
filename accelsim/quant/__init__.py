"""Grids, range estimators, requantization parameters and error metrics."""

from accelsim.hardware import Statistic
from accelsim.quant.decision import Decision, Quantized, Reflections
from accelsim.quant.estimators import (
    COUNT,
    NUMBER,
    RANGE,
    SIZE,
    SIZES,
    Estimator,
    Memory,
    Parameter,
    estimator_names,
    make_estimator,
    register,
)
from accelsim.quant.grid import ChannelGrid, Grid, Range
from accelsim.quant.histogram import bins_of, counted
from accelsim.quant.metrics import (
    Errors,
    levels_used,
    range_staleness,
    saturated_share,
)
from accelsim.quant.microscaling import BLOCK, ELEMENT_BITS, Microscaled, microscaled, steps_of
from accelsim.quant.observation import Observation, Request
from accelsim.quant.requantization import (
    Requantization,
    accumulator_scales,
    kernel_seed,
    requantization,
)
from accelsim.quant.scheme import Policy, Scheme
from accelsim.quant.statistics import Extremes, Registers, Statistics

__all__ = [
    "BLOCK",
    "COUNT",
    "ELEMENT_BITS",
    "NUMBER",
    "RANGE",
    "SIZE",
    "SIZES",
    "ChannelGrid",
    "Decision",
    "Errors",
    "Estimator",
    "Extremes",
    "Grid",
    "Memory",
    "Microscaled",
    "Observation",
    "Parameter",
    "Policy",
    "Quantized",
    "Range",
    "Reflections",
    "Registers",
    "Requantization",
    "Request",
    "Scheme",
    "Statistic",
    "Statistics",
    "accumulator_scales",
    "bins_of",
    "counted",
    "estimator_names",
    "kernel_seed",
    "levels_used",
    "make_estimator",
    "microscaled",
    "range_staleness",
    "register",
    "requantization",
    "saturated_share",
    "steps_of",
]
