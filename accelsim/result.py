"""Frozen counters, spans and statistics of one run; JSON in and out.

Every name carries its unit. A Result is plain data: reports and plots are made from it alone.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Any, Self, Union, get_args, get_origin, get_type_hints

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Record:
    """A frozen dataclass that goes to JSON and comes back equal.

    JSON has no infinity: a non-finite number is written as the string "inf", "-inf" or "nan".
    """

    schema = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, keys in field order."""
        document: dict[str, Any] = {"schema": self.schema} if self.schema else {}
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            if item.metadata.get("json", True):
                document[item.name] = _plain(getattr(self, item.name))
        return document

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON document with stable keys."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The record that `to_dict` described."""
        if cls.schema and document.get("schema") != cls.schema:
            raise AccelsimError(f"schema={document.get('schema')!r}: must be {cls.schema!r}")
        hints = get_type_hints(cls)
        known = {f.name for f in dataclasses.fields(cls) if f.metadata.get("json", True)}  # type: ignore[arg-type]
        unknown = set(document) - known - {"schema"}
        if unknown or known - set(document):
            field_name = sorted(unknown or known - set(document))[0]
            raise AccelsimError(
                f"{field_name}: {'unknown to' if unknown else 'missing in'} "
                f"a {cls.__name__}; its fields are {', '.join(sorted(known))}"
            )
        return cls(**{name: _typed(hints[name], document[name]) for name in known})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record that `to_json` wrote."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise AccelsimError(f"not a JSON document: {error}") from None
        if not isinstance(document, dict):
            raise AccelsimError(f"JSON {type(document).__name__}: must be an object")
        return cls.from_dict(document)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _typed(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return None if value is None else _typed(arguments[0], value)
    if origin is tuple:
        inner = arguments[0]
        return tuple(_typed(inner, item) for item in value)
    if hint is float:
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_dict(value)
    return value


@dataclass(frozen=True, slots=True)
class UnitTime(Record):
    """How one unit spent the run. The four parts add up to the total cycles."""

    unit: str
    busy_cycles: int
    """It worked."""
    starved_cycles: int
    """It had a command and waited for what the command needs."""
    blocked_cycles: int
    """It had a command and waited for room to put the outcome, or for a slower unit after it."""
    idle_cycles: int
    """It had nothing (more) to do."""


@dataclass(frozen=True, slots=True)
class Traffic(Record):
    """DRAM bytes of one tensor in one direction and phase, counted at the DRAM interface."""

    tensor: str
    direction: str
    phase: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Span(Record):
    """One unit at work on one thing: [start_cycle, stop_cycle)."""

    unit: str
    label: str
    phase: str
    start_cycle: int
    stop_cycle: int


@dataclass(frozen=True, slots=True)
class ValueRange(Record):
    """A range of real numbers."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Numerics(Record):
    """What happened to the values: against the float reference, and inside the machine."""

    sqnr_db: float
    cosine: float
    mean_squared_error: float
    bias: float
    saturated_share: float
    """Share of outputs that the grid clamped."""
    overflow_count: int
    """Accumulators whose exact sum left the accumulator's width."""
    range_used: ValueRange
    """What the output grid was made from."""
    range_observed: ValueRange
    """What the statistics unit saw in this step."""
    output_scale: float
    output_zero_point: int


@dataclass(frozen=True, slots=True)
class Roofline(Record):
    """Where the run stands against the two ceilings of the machine."""

    macs_per_byte: float
    peak_macs_per_cycle: int
    peak_bytes_per_cycle: float
    attained_macs_per_cycle: float
    compute_bound_cycles: int
    """Least cycles at the array's peak."""
    memory_bound_cycles: int
    """Least cycles at the DRAM's peak bandwidth."""
    bound: str
    """"compute" or "memory": the higher of the two."""


@dataclass(frozen=True)
class Result(Record):
    """One operation on one machine under one scheme: values, cycles and bytes of one run."""

    schema = "accelsim.result/1"

    layer: str
    batch: int
    hardware: str
    clock_mhz: float
    scheme: str
    realisation: str
    step: int
    """Index of the measured step; the steps before it are its past."""
    data: str
    """Where the tensors came from: "synthetic", "given", or "none" for a timing-only run."""
    total_cycles: int
    latency_us: float
    macs: int
    array_utilisation: float
    """MACs over what the array could do in the total cycles."""
    array_busy_utilisation: float
    """MACs over what the array could do while it was busy: the fit of the layer to the array."""
    units: tuple[UnitTime, ...]
    traffic: tuple[Traffic, ...]
    roofline: Roofline
    tiling: Mapping[str, Any]
    numerics: Numerics | None = None
    spans: tuple[Span, ...] = ()
    output: "np.ndarray | None" = field(
        default=None, repr=False, compare=False, metadata={"json": False}
    )
    """The output integers in the user's layout; not part of the JSON document."""

    @property
    def total_bytes(self) -> int:
        """All DRAM bytes of the run."""
        return sum(row.bytes for row in self.traffic)

    def bytes_of(self, tensor: str | None = None, direction: str | None = None) -> int:
        """DRAM bytes of a tensor and direction; None means all."""
        return sum(
            row.bytes
            for row in self.traffic
            if tensor in (None, row.tensor) and direction in (None, row.direction)
        )

    def unit(self, name: str) -> UnitTime:
        """The time account of one unit."""
        for row in self.units:
            if row.unit == name:
                return row
        known = ", ".join(row.unit for row in self.units)
        raise AccelsimError(f"unit={name!r}: must be one of {known}")

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per tensor, direction and phase."""
        return _frame([self])


@dataclass(frozen=True)
class Comparison(Record):
    """The same operation under several schemes; the first is what the others are held against."""

    schema = "accelsim.comparison/1"

    results: tuple[Result, ...]

    @property
    def baseline(self) -> Result:
        """The first result."""
        return self.results[0]

    @property
    def ratios(self) -> tuple["Ratio", ...]:
        """Every other result over the baseline."""
        return tuple(Ratio.of(result, self.baseline) for result in self.results[1:])

    def to_dict(self) -> dict[str, Any]:
        """The results, and the ratios that follow from them."""
        return {
            "schema": self.schema,
            "results": [result.to_dict() for result in self.results],
            "ratios": [ratio.to_dict() for ratio in self.ratios],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The comparison that `to_dict` described; ratios are computed anew."""
        return super().from_dict({k: v for k, v in document.items() if k != "ratios"})

    def to_frame(self) -> "pd.DataFrame":
        """A pandas frame, one row per scheme, tensor, direction and phase."""
        return _frame(self.results)


@dataclass(frozen=True, slots=True)
class Ratio(Record):
    """One result over the baseline of its comparison."""

    scheme: str
    baseline: str
    bytes_ratio: float
    cycles_ratio: float
    sqnr_difference_db: float | None

    @classmethod
    def of(cls, result: Result, baseline: Result) -> "Ratio":
        """Computed from two results."""
        difference = None
        if result.numerics and baseline.numerics:
            a, b = result.numerics.sqnr_db, baseline.numerics.sqnr_db
            difference = 0.0 if a == b else a - b
        return cls(
            scheme=result.scheme,
            baseline=baseline.scheme,
            bytes_ratio=result.total_bytes / baseline.total_bytes,
            cycles_ratio=result.total_cycles / baseline.total_cycles,
            sqnr_difference_db=difference,
        )


def _frame(results: Iterable[Result]) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError:
        raise AccelsimError("to_frame needs pandas: pip install 'accelsim[pandas]'") from None
    rows = []
    for result in results:
        head = {
            "layer": result.layer,
            "batch": result.batch,
            "hardware": result.hardware,
            "scheme": result.scheme,
            "realisation": result.realisation,
            "total_cycles": result.total_cycles,
            "latency_us": result.latency_us,
        }
        if result.numerics:
            head |= {
                "sqnr_db": result.numerics.sqnr_db,
                "cosine": result.numerics.cosine,
                "saturated_share": result.numerics.saturated_share,
            }
        rows += [head | row.to_dict() for row in result.traffic]
    return pd.DataFrame(rows)
