"""Frozen counters, spans and statistics of runs; JSON in and out.

Every name carries its unit. A result is plain data: reports and plots are made from it alone.
"""

from accelsim.result.actions import (
    ADD,
    ADD_FLOAT,
    ARRAY,
    CHAIN_MEMORY,
    COMPARE,
    DRAM,
    MULTIPLY,
    MULTIPLY_FLOAT,
    OPERATE,
    PADDING,
    READ,
    REQUANTIZER,
    STATISTICS,
    VECTOR_UNIT,
    WRITE,
    Action,
    merged,
)
from accelsim.result.comparison import Comparison, Ratio
from accelsim.result.cost import Amortised, Consumer, ConsumerPrice, Phase, StepCost
from accelsim.result.dram import DramChannel, DramRequester, DramResult
from accelsim.result.energy import (
    COMPONENTS,
    ComponentArea,
    ComponentEnergy,
    Energy,
    area_of,
    energy_of,
)
from accelsim.result.mlp import MlpPoint, MlpStatement
from accelsim.result.network import (
    Move,
    NetworkComparison,
    NetworkRatio,
    NetworkResult,
    NormCost,
    OperationResult,
    OutputAccuracy,
    TrainingStep,
    UpdateStep,
)
from accelsim.result.numerics import Numerics, ValueHistogram, ValueRange
from accelsim.result.overview import Candidate, Overview, overview_of
from accelsim.result.pareto import pareto_front
from accelsim.result.points import Points
from accelsim.result.record import Record
from accelsim.result.recorder import Recorder
from accelsim.result.recovery import (
    SETTLED_STEPS,
    SQNR_TOLERANCE_DB,
    STALENESS_TOLERANCE,
    STEPS_BEFORE,
    Recovery,
)
from accelsim.result.run import (
    Bandwidth,
    DramActivity,
    DramEngine,
    Result,
    Roofline,
    Span,
    Traffic,
    UnitTime,
)
from accelsim.result.search import SearchResult, Trial, cost_of
from accelsim.result.study import SweepPlan, SweepSummary
from accelsim.result.table5 import Movement, Table5, Table5Row
from accelsim.result.trace import Trace, TraceStep, TraceSummary

__all__ = [
    "ADD",
    "ADD_FLOAT",
    "ARRAY",
    "CHAIN_MEMORY",
    "COMPARE",
    "COMPONENTS",
    "DRAM",
    "MULTIPLY",
    "MULTIPLY_FLOAT",
    "OPERATE",
    "PADDING",
    "READ",
    "REQUANTIZER",
    "SETTLED_STEPS",
    "SQNR_TOLERANCE_DB",
    "STALENESS_TOLERANCE",
    "STATISTICS",
    "STEPS_BEFORE",
    "VECTOR_UNIT",
    "WRITE",
    "Action",
    "Amortised",
    "Bandwidth",
    "Candidate",
    "Comparison",
    "ComponentArea",
    "ComponentEnergy",
    "Consumer",
    "ConsumerPrice",
    "DramActivity",
    "DramChannel",
    "DramEngine",
    "DramRequester",
    "DramResult",
    "Energy",
    "MlpPoint",
    "MlpStatement",
    "Move",
    "Movement",
    "NetworkComparison",
    "NetworkRatio",
    "NetworkResult",
    "NormCost",
    "Numerics",
    "OperationResult",
    "OutputAccuracy",
    "Overview",
    "Phase",
    "Points",
    "Ratio",
    "Record",
    "Recorder",
    "Recovery",
    "Result",
    "Roofline",
    "SearchResult",
    "Span",
    "StepCost",
    "SweepPlan",
    "SweepSummary",
    "Table5",
    "Table5Row",
    "Trace",
    "TraceStep",
    "TraceSummary",
    "Traffic",
    "TrainingStep",
    "Trial",
    "UnitTime",
    "UpdateStep",
    "ValueHistogram",
    "ValueRange",
    "area_of",
    "cost_of",
    "energy_of",
    "merged",
    "overview_of",
    "pareto_front",
]
