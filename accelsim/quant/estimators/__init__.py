"""Range estimators, each found by its name: the files that hold them register them."""

from accelsim.quant.estimators import (  # noqa: F401
    householder,
    magnitude,
    microscaling,
    min_max,
    searching,
)
from accelsim.quant.estimators.estimator import (
    COUNT,
    NUMBER,
    RANGE,
    SIZE,
    SIZES,
    Estimator,
    Memory,
    Parameter,
)
from accelsim.quant.estimators.registry import (
    ENTRY_POINTS,
    estimator_names,
    make_estimator,
    register,
)

__all__ = [
    "COUNT",
    "ENTRY_POINTS",
    "NUMBER",
    "RANGE",
    "SIZE",
    "SIZES",
    "Estimator",
    "Memory",
    "Parameter",
    "estimator_names",
    "make_estimator",
    "register",
]
