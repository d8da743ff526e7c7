"""Code blocks of a page: found, and run one after the other as a reader would.

A page's Python blocks share one namespace, its commands one folder. By language:

- `python` runs. A comment behind a `print(...)` at the margin is what it prints, and a block of
  `output` below it all that it prints.
- `sh` runs, an accelsim command a line. What they print is not shown.
- `console` runs: `$ accelsim ...`, and below it what is printed. A line `...` stands for any lines.
- `yaml`, `toml`, `csv`, `ini`: a first line `# name.yaml` writes the block to a file of that name.
- `text` and `markdown` are pictures, not code.

A block behind `<!-- not run: REASON -->` is left alone.
"""

import io
import re
import shlex
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from accelsim.cli import main

PICTURES = ("text", "markdown")
FILES = ("yaml", "toml", "csv", "ini")
ANY_LINES = "..."

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^ *(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->\s*\Z")
_CLAIM = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block and where it stands."""

    page: str
    line: int
    language: str
    text: str
    reason_not_to_run: str | None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, markdown: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    for match in _FENCE.finditer(markdown):
        marker = _NOT_RUN.search(markdown[: match.start()])
        yield Block(
            page,
            markdown.count("\n", 0, match.start()) + 1,
            match["language"].split(" ")[0],
            textwrap.dedent(match["text"]),
            marker[1] if marker else None,
        )


class Reader:
    """Runs the blocks of one page in the current folder; raises where a block is not true."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__name__": "page"}
        self.printed = ""

    def run(self, block: Block) -> None:
        if block.language in PICTURES or block.reason_not_to_run:
            return
        if block.language == "python":
            self._python(block)
        elif block.language == "output":
            _compare(block, "the code above", block.text, self.printed)
        elif block.language == "sh":
            for command in _lines(block.text):
                _answer(block, command)
        elif block.language == "console":
            for command, shown in _session(block):
                _compare(block, command, shown, _answer(block, command))
        elif block.language in FILES:
            _write(block)
        else:
            raise AssertionError(f"{block.place}: no way to run a block of {block.language!r}")

    def _python(self, block: Block) -> None:
        printed = io.StringIO()
        code = "\n" * block.line + block.text  # so that a traceback shows the line of the page
        with redirect_stdout(printed):
            exec(compile(code, block.page, "exec"), self.names)
        self.printed = printed.getvalue()
        lines = iter(self.printed.splitlines())
        for claim in _CLAIM.findall(block.text):
            found = claim in lines
            assert found, f"{block.place}: {claim!r} is not what is printed: {self.printed!r}"


def _lines(text: str) -> Iterator[str]:
    """Commands: a backslash continues a line, a comment is none."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _session(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a session, and what is shown below it."""
    head, *parts = re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)
    assert not head and parts, f"{block.place}: must begin with '$ ' and a command"
    for part in parts:
        command, _, shown = part.partition("\n")
        yield command, shown


def _answer(block: Block, command: str) -> str:
    """What the command prints. It must succeed, or its one line of error must be shown."""
    program, *arguments = shlex.split(command, comments=True)
    where = f"{block.place}: {command}"
    assert program == "accelsim", f"{where}: not ours to run; say why: <!-- not run: REASON -->"
    printed, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(errors):
        code = main(arguments)
    failed = "accelsim: error:" in block.text
    assert (code != 0) == failed, f"{where}: exit code {code}: {errors.getvalue()}"
    return printed.getvalue() + errors.getvalue()


def _compare(block: Block, command: str, shown: str, printed: str) -> None:
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANY_LINES else re.escape(line.rstrip()) + "\n"
        for line in shown.rstrip("\n").splitlines()
    )
    printed = "".join(f"{line.rstrip()}\n" for line in printed.rstrip("\n").splitlines())
    assert re.fullmatch(pattern, printed), (
        f"{block.place}: this is not what {command} prints, which is\n{printed}"
    )


def _write(block: Block) -> None:
    name = re.match(r"# ([\w.-]+)\n", block.text)
    assert name, f"{block.place}: must begin with '# NAME.{block.language}', a file to write"
    Path(name[1]).write_text(block.text, encoding="utf-8")
