"""Where a command's answer goes: the terminal, a pipe or a file; as tables or as one document."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

command_line: ContextVar[Sequence[str]] = ContextVar("command_line", default=())
"""The words of the command that runs, without those that say where its answer goes."""

PLAIN_WIDTH = 80
LARGEST_WIDTH = 100

SIMULATING = "simulating (the first run compiles)"
BETWEEN_SECONDS, MOST_COUNTED = 0.05, 10_000


@dataclass(frozen=True)
class Output:
    """Tables or one JSON document, on stdout or in a file."""

    as_json: bool
    file: Path | None

    def check(self) -> None:
        """Refuse a file that cannot be written, before any work is done."""
        if self.file is not None:
            from accelsim.report.files import check_writable

            check_writable(self.file)
        elif sys.stdout is None:
            raise AccelsimError("stdout is closed: use -o FILE")

    def give(
        self,
        text: "Callable[[], RenderableType | str]",
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Print or write the one that was asked for."""
        if self.as_json:
            self._put(json.dumps(document(), indent=2, allow_nan=False) + "\n")
            return
        content = text()
        if self.file is None and not isinstance(content, str) and sys.stdout.isatty():
            self._print(content)
        else:
            self._put(content if isinstance(content, str) else plain(content))

    def give_record(
        self,
        text: "Callable[[], RenderableType | str]",
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        """The same for a result; its document says which command made it, and can be read back."""
        from accelsim.report.saved import with_command

        self.give(text, lambda: with_command(document(), command_line.get()))

    def _put(self, text: str) -> None:
        if self.file is None:
            sys.stdout.write(text)
            return
        from accelsim.report.files import write_file

        write_file(self.file, text.encode())

    def _print(self, content: "RenderableType") -> None:
        from rich.console import Console

        console = Console(highlight=False)
        console.width = min(console.width, LARGEST_WIDTH)
        console.print(content)


def plain(content: "RenderableType") -> str:
    """As text of 80 columns: no colours, no trailing blanks."""
    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer, width=PLAIN_WIDTH, force_terminal=False, color_system=None, highlight=False,
        legacy_windows=False,
    )  # fmt: skip
    console.print(content)
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


@contextmanager
def working(message: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal's stderr a moving sign while the block runs; elsewhere nothing.

    Told how much is done of how much, it becomes a bar with rate and time left. It may be told as
    often as one likes: the bar is drawn anew a few times a second.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: Any = (
        TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(message, total=None, count="")

        told = 0.0

        def tell(done: int, total: int) -> None:
            nonlocal told
            now = monotonic()
            if now - told < BETWEEN_SECONDS and done < total:
                return
            told = now
            bar.update(task, completed=done, total=total, count=_count(done, total, bar))

        yield tell


def _count(done: int, total: int, bar: "Progress") -> str:
    """How much is done, and how fast; of very many pieces their share."""
    if total > MOST_COUNTED:
        return f"{done / total:.0%}"
    speed = bar.tasks[0].speed
    return f"{done}/{total}" if speed is None else f"{done}/{total} {speed:.1f}/s"
