"""`accelsim report`: saved results as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli.output import working


def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.json...",
            help="Results saved by --json -o FILE, or one study by accelsim results.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE.html", help="The page.", show_default=False),
    ],
) -> None:
    """Write saved results as one HTML file: tables, plots, configuration."""
    from accelsim import __version__
    from accelsim.report import saved
    from accelsim.report.files import check_writable, write_file
    from accelsim.report.html import report_html

    check_writable(output)
    with working("drawing") as progress:
        page = report_html([saved.load(file) for file in files], __version__, progress)
        write_file(output, page.encode())
