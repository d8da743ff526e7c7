"""`accelsim plot`: pictures of results that were saved."""

from pathlib import Path
from typing import Annotated, Any

import typer

from accelsim.cli import complete
from accelsim.cli.options import refuse
from accelsim.cli.output import working

AXES = {"pareto": ("x", "y"), "heatmap": ("x", "y", "value"), "latency": ("unit",)}
"""The options that a kind has of its own."""
CHOOSY = ("timeline", "bandwidth", "ranges", "values")
"""Kinds that draw some of many schemes, unless these are named."""


def plot(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="traffic, latency, roofline, pareto or heatmap, of layers and of a network; "
            "timeline, bandwidth, ranges or values, of a layer. pareto and heatmap also of the "
            "points of a study.",
            autocompletion=complete.kinds,
            show_default=False,
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.json...",
            help="Results saved by --json -o FILE; several layers are drawn in one plot.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.png|svg|pdf", help="The picture.", show_default=False
        ),
    ],
    scheme: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", show_default=False, autocompletion=complete.schemes,
            help="Draw this scheme alone; repeat it. An estimator is all its realisations, all is "
            "every scheme, where timeline, bandwidth, ranges and values would leave some out.",
        ),
    ] = None,
    x: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default=False,
            help="Of pareto and heatmap: a figure or a field, such as total_bytes or array.rows.",
        ),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The same for the other axis.", show_default=False),
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of heatmap: the figure in its cells.", show_default=False
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default=False,
            help="Of latency of several layers: the unit whose time splits the bars (array).",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Draw saved results: traffic, latency, roofline, timeline and more."""
    from accelsim.report import saved
    from accelsim.report.plot import check_figure_path, check_kind, draw, save_figure

    check_kind(kind)
    check_figure_path(output, "output")
    options: dict[str, Any] = {"x": x, "y": y, "value": value, "unit": unit}
    own = AXES.get(kind, ())
    given = {f"--{name}": text for name, text in options.items()}
    refuse(given, [f"--{name}" for name in options if name not in own], f"{kind} has none")
    chosen: dict[str, Any] = {n: options[n] for n in own if options[n] is not None}
    if scheme and kind in CHOOSY:
        chosen["every"] = True
    with working("drawing"):
        documents = [saved.load(file) for file in files]
        if scheme and "all" not in scheme:
            documents = [saved.only(document, scheme) for document in documents]
        data = saved.drawable(documents)
        save_figure(draw(kind, data, **chosen), output, "output")
