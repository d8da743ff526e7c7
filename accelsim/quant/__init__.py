"""Grids, range estimators, requantization parameters and error metrics."""

from accelsim.quant.estimators import (
    CurrentMinMax,
    Estimator,
    InHindsightMinMax,
    Parameter,
    estimator_names,
    make_estimator,
    register,
)
from accelsim.quant.grid import ChannelGrid, Grid, Range
from accelsim.quant.metrics import bias, cosine_similarity, mean_squared_error, sqnr_db
from accelsim.quant.requantization import (
    Requantization,
    accumulator_scales,
    kernel_seed,
    requantization,
)
from accelsim.quant.scheme import Scheme
from accelsim.quant.statistics import Statistics

__all__ = [
    "ChannelGrid",
    "CurrentMinMax",
    "Estimator",
    "Grid",
    "InHindsightMinMax",
    "Parameter",
    "Range",
    "Requantization",
    "Scheme",
    "Statistics",
    "accumulator_scales",
    "bias",
    "cosine_similarity",
    "estimator_names",
    "kernel_seed",
    "make_estimator",
    "mean_squared_error",
    "register",
    "requantization",
    "sqnr_db",
]
