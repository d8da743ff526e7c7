"""What a plot may be given, and the figures of a run by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.report.plot.rows import layers_of
from accelsim.report.plot.titles import UPDATES_APART, figure_of
from accelsim.result import Comparison, NetworkComparison, NetworkResult, Points, Result

RUN_FIGURES = (
    "total_bytes", "total_cycles", "latency_us", "sqnr_db", "cosine", "mean_squared_error",
    "saturated_share", "array_utilisation",
)  # fmt: skip
PER_STEP = {
    "bytes_per_step": "total_bytes", "cycles_per_step": "total_cycles",
    "latency_us_per_step": "latency_us",
}  # fmt: skip
"""What a row of a run comes to, beside what it was made with: of a step, and per step on average.

The two differ where a scheme has update steps.
"""

Data = Result | Comparison | Iterable["Result | Comparison"]
"""One run, several side by side, or several of these: layers, sweeps."""


def results_of(data: Data) -> tuple[Result, ...]:
    """All runs, in order; at least one."""
    if isinstance(data, Points):
        raise AccelsimError("data: must be given runs, not points of a study")
    if isinstance(data, NetworkResult | NetworkComparison):
        raise AccelsimError(
            "data: must be given runs of layers; a network has traffic, latency, roofline, pareto "
            "and heatmap"
        )
    found: list[Result] = []
    for item in [data] if isinstance(data, Result | Comparison) else data:
        found += item.results if isinstance(item, Comparison) else [item]
    if not found:
        raise AccelsimError("data=[]: must hold at least one result")
    return tuple(found)


def one_layer(data: Data, kind: str) -> tuple[Result, ...]:
    """All runs, which must be of one layer."""
    results = results_of(data)
    layers = layers_of(results)
    if len(layers) > 1:
        raise AccelsimError(
            f"{kind}: must be given the runs of one layer, has those of {len(layers)}, "
            f"{layers[0]} and {layers[1]} among them"
        )
    return results


def step_note(results: Sequence[Result]) -> str:
    """What to say under bars of one step each: a further line where steps of a scheme differ."""
    return UPDATES_APART if any(r.amortised for r in results) else ""


def rows_of(data: "Data | Points") -> list[Mapping[str, Any]]:
    """A row for each run, or for each point of a study that has figures."""
    if isinstance(data, Points):
        if not data.done:
            raise AccelsimError("points=[]: must hold at least one point with figures")
        return data.done
    return [row_of(result) for result in results_of(data)]


def row_of(result: Result) -> dict[str, Any]:
    """One run as names and values: what it was, the fields of its machine, what it came to."""
    row: dict[str, Any] = {
        "layer": result.layer,
        "scheme": result.scheme,
        "realisation": result.realisation,
        "hardware": result.hardware,
        "batch": result.batch,
        "seed": result.seed,
        "step": result.step,
        "input_bits": result.input_bits,
        "weight_bits": result.weight_bits,
        "output_bits": result.output_bits,
    }
    row |= flat(result.machine)
    for name in RUN_FIGURES:
        source = result if hasattr(result, name) else result.numerics
        if source is not None:
            row[name] = getattr(source, name)
    row["bytes_per_step"], row["cycles_per_step"] = result.bytes_per_step, result.cycles_per_step
    row["latency_us_per_step"] = result.cycles_per_step / result.clock_mhz
    return row


def has_updates(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some row has update steps, so that a step costs something else on average."""
    return any(
        row.get(mean, row.get(one)) != row.get(one)
        for row in rows
        for mean, one in PER_STEP.items()
    )


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by their dotted names, as `--set` has them."""
    fields: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = value
    return fields


def figure(rows: Sequence[Mapping[str, Any]], name: str, option: str) -> list[float]:
    """One figure of every row, in its unit for people."""
    factor = figure_of(name).factor
    values = column(rows, name, option)
    if not all(isinstance(value, int | float) for value in values):
        raise AccelsimError(f"{option}={name}: must be a number; {name} is not")
    return [value * factor for value in values]


def column(rows: Sequence[Mapping[str, Any]], name: str, option: str) -> list[Any]:
    """One column of every row; one that is missing somewhere is refused."""
    if not all(row.get(name) is not None for row in rows):
        known = sorted(set.intersection(*({k for k in row if row[k] is not None} for row in rows)))
        raise AccelsimError(
            f"{option}={name}: must be known of every result; known are {', '.join(known)}"
        )
    return [row[name] for row in rows]
