"""Range estimators, each found by its name."""

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
from accelsim.quant.estimators.householder import BlockHouseholder
from accelsim.quant.estimators.magnitude import (
    DelayedScaling,
    InHindsightSaturation,
    PowerOfTwo,
    SigmaEma,
)
from accelsim.quant.estimators.microscaling import MxInt8
from accelsim.quant.estimators.min_max import (
    ChunkedMinMax,
    CurrentMinMax,
    Fixed,
    FixedPoint,
    InHindsightMinMax,
    PerSample,
    RunningMinMax,
)
from accelsim.quant.estimators.registry import (
    ENTRY_POINTS,
    estimator_names,
    make_estimator,
    register,
)
from accelsim.quant.estimators.searching import BitWidthAdaptation, DirectionSensitiveClipping

__all__ = [
    "COUNT",
    "ENTRY_POINTS",
    "NUMBER",
    "RANGE",
    "SIZE",
    "SIZES",
    "BitWidthAdaptation",
    "BlockHouseholder",
    "ChunkedMinMax",
    "CurrentMinMax",
    "DelayedScaling",
    "DirectionSensitiveClipping",
    "Estimator",
    "Fixed",
    "FixedPoint",
    "InHindsightMinMax",
    "InHindsightSaturation",
    "Memory",
    "MxInt8",
    "Parameter",
    "PerSample",
    "PowerOfTwo",
    "RunningMinMax",
    "SigmaEma",
    "estimator_names",
    "make_estimator",
    "register",
]
