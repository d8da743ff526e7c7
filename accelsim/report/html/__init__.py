"""A report: one HTML file with the summary, sortable tables, plots and the whole configuration.

It loads nothing from elsewhere. Every name in it may be anything: what is not ours is escaped.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.report.format import kib
from accelsim.report.html.chart import Chart
from accelsim.report.html.network import network_sections, network_summary
from accelsim.report.html.pictures import plots
from accelsim.report.html.tables import (
    Column,
    consumer_table,
    runs_table,
    table,
    traffic_table,
    units_table,
    updates_table,
)
from accelsim.report.network import network_title
from accelsim.report.overview import MOST_SENTENCES, front_sentences
from accelsim.report.plot.data import (
    PER_STEP,
    RUN_FIGURES,
    flat,
    has_updates,
    layers_of,
    results_of,
    row_of,
)
from accelsim.report.saved import Saved
from accelsim.report.text import ratio_sentences
from accelsim.result import (
    Comparison,
    NetworkComparison,
    NetworkResult,
    Points,
    Result,
)

ABOUT = ("point", "status", "reason")
"""What a study says of a point beside its coordinates and its figures."""
SETTINGS = (
    "layer", "scheme", "realisation", "hardware", "clock_mhz", "batch", "step", "data", "seed",
    "drift", "input_bits", "weight_bits", "output_bits", "accumulator_bits",
)  # fmt: skip


def report_html(
    documents: Sequence[Saved],
    version: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """The page of some saved documents: runs and comparisons together, one network or one study.

    `progress` hears how many plots are drawn, and of how many.
    """
    records = [saved.record for saved in documents]
    if len(records) == 1 and isinstance(records[0], Points):
        return _page(*_of_study(records[0]), documents, version)
    if len(records) == 1 and isinstance(records[0], NetworkResult | NetworkComparison):
        return _page(*_of_network(records[0], progress), documents, version)
    runs = [record for record in records if isinstance(record, Result | Comparison)]
    if len(runs) < len(records) or not runs:
        other = next(saved for saved in documents if saved.record not in runs)
        raise AccelsimError(
            f"{other.path}: schema={other.record.schema!r}: must be runs and comparisons of "
            "layers, or one network or study alone"
        )
    return _page(*_of_runs(runs, progress), documents, version)


def _of_runs(
    runs: Sequence[Result | Comparison], progress: Callable[[int, int], None]
) -> tuple[str, str, list[tuple[str, str]], str]:
    results = results_of(runs)
    layers = layers_of(results)
    what = layers[0] if len(layers) == 1 else f"{len(layers)} layers"
    sections = [
        ("Runs", runs_table(results)),
        ("Update steps", updates_table(results)),
        ("At the consumer", consumer_table(results)),
        ("Plots", plots(runs, progress)),
        ("DRAM traffic", traffic_table(results)),
        ("Units", units_table(results)),
    ]
    sections = [section for section in sections if section[1]]
    chart = Chart(*_points(results))
    if chart.worth_drawing:
        after = [name for name, _ in sections].index("Plots") + 1
        sections.insert(after, ("Trade-offs", chart.section()))
    sections.append(("Configuration", _configuration(results)))
    data = chart.data() if chart.worth_drawing else ""
    title = f"{what} on {', '.join(dict.fromkeys(r.hardware for r in results))}"
    return title, _summary(runs), sections, data


def _points(results: Sequence[Result]) -> tuple[list[dict[str, Any]], list[str]]:
    rows = [row_of(result) for result in results]
    if not has_updates(rows):
        rows = [{k: v for k, v in row.items() if k not in PER_STEP} for row in rows]
    return rows, [name for name in rows[0] if name not in (*RUN_FIGURES, *PER_STEP, "realisation")]


def _of_study(study: Points) -> tuple[str, str, list[tuple[str, str]], str]:
    done = study.done
    if not done:
        raise AccelsimError("points=[]: must hold at least one point with figures")
    points = [{name: value for name, value in row.items() if name not in ABOUT} for row in done]
    chart = Chart(points, study.axes)
    failed = [point for point in study.points if point.get("status") == "failed"]
    told = f"{len(done):,} of {len(study.points):,} points have figures"
    told += f"; {len(failed):,} could not be run." if failed else "."
    sections = [("Points", chart.section() if chart.worth_drawing else chart.table())]
    if failed:
        names = [*study.axes, "reason"]
        rows = [[point.get(name) for name in names] for point in failed]
        columns = [Column(name, number=False) for name in names]
        sections.append(("Points that could not be run", table("Reasons", columns, rows, {})))
    data = chart.data() if chart.worth_drawing else ""
    return f"Study of {len(study.points):,} points", f"<p class=summary>{told}</p>", sections, data


def _of_network(
    record: NetworkResult | NetworkComparison, progress: Callable[[int, int], None]
) -> tuple[str, str, list[tuple[str, str]], str]:
    found = NetworkComparison((record,)) if isinstance(record, NetworkResult) else record
    machine = _machine(found.baseline.hardware, found.baseline.machine)
    sections = [*network_sections(found, progress), ("Configuration", machine)]
    return network_title(found.baseline), network_summary(found), sections, ""


def _summary(runs: Sequence[Result | Comparison]) -> str:
    """A sentence for each scheme that is held against another; of one run, what it came to."""
    sentences = []
    for run in runs:
        if isinstance(run, Comparison) and len(run.results) > MOST_SENTENCES:
            sentences += front_sentences(run, run.baseline.layer)
        elif isinstance(run, Comparison) and len(run.results) > 1:
            names = f"{run.baseline.layer}: " if len(runs) > 1 else ""
            sentences += [names + sentence for sentence in ratio_sentences(run)]
        else:
            sentences += [_alone(result) for result in results_of(run)]
    return "".join(f"<p class=summary>{escape(sentence)}</p>" for sentence in sentences)


def _alone(result: Result) -> str:
    text = (
        f"{result.layer} under {result.scheme} moves {kib(result.total_bytes)} KB and takes "
        f"{result.total_cycles:,} cycles ({result.latency_us:,.2f} us)"
    )
    return f"{text}; SQNR {result.numerics.sqnr_db:.2f} dB." if result.numerics else f"{text}."


def _configuration(results: Sequence[Result]) -> str:
    settings = [[getattr(result, name) for name in SETTINGS] for result in results]
    columns = [Column(name, number=False) for name in SETTINGS]
    parts = [table("What was run", columns, settings, {})]
    machines = {str(result.machine): result for result in results}
    parts += [_machine(result.hardware, result.machine) for result in machines.values()]
    return "".join(parts)


def _machine(name: str, fields: Mapping[str, Any]) -> str:
    """Every field of a machine, folded away."""
    rows = [[field, str(value)] for field, value in flat(fields).items()]
    head = [Column("field", number=False), Column("value", number=False)]
    inside = table(f"Hardware {name}", head, rows, {})
    return f"<details><summary>Every field of {escape(name)}</summary>{inside}</details>"


def _page(
    title: str,
    summary: str,
    sections: Sequence[tuple[str, str]],
    data: str,
    documents: Sequence[Saved],
    version: str,
) -> str:
    commands = "".join(
        f"<pre>{escape(shlex.join(saved.command))}</pre>" for saved in documents if saved.command
    )
    made = [("Made by", commands)] if commands else []
    blocks = "".join(
        f"<section><h2>{escape(name)}</h2>{content}</section>\n"
        for name, content in (*sections, *made)
    )
    return Template(_asset("page.html")).substitute(
        title=escape(title), summary=summary, sections=blocks, data=data,
        style=_asset("style.css"), script=_asset("script.js"), version=escape(version),
    )  # fmt: skip


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
