"""From the arguments of a process to its exit code: every refusal is one line on stderr."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from accelsim.cli.output import command_line
from accelsim.errors import AccelsimError

FAILED, INTERRUPTED = 2, 130
CLICK_EXCEPTION: type[Any] = typer.BadParameter.__mro__[2]
"""What every usage error of typer is, whether it stands on click or brings its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given, debug = _without_debug(list(sys.argv[1:] if arguments is None else arguments))
    _print_what_the_terminal_cannot_spell()
    command_line.set(("accelsim", *what_is_asked(given)))
    try:
        code = _run(expand_set(given) or ["--help"])
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug and not isinstance(error, AccelsimError | CLICK_EXCEPTION):
            traceback.print_exc()
        if isinstance(error, OSError):
            _close_stdout()
        return _fail(_line_of(error))
    return code


def _run(arguments: list[str]) -> int:
    from accelsim.cli.commands import app

    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="accelsim", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:  # how typer ends a completion, or a pipe that nobody reads
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None
        return stop.code if isinstance(stop.code, int) else 0
    return code if isinstance(code, int) else 0


def expand_set(arguments: Sequence[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`: an option of typer takes one value at a time."""
    expanded: list[str] = []
    place = "elsewhere"
    for position, argument in enumerate(arguments):
        if argument == "--":
            return expanded + list(arguments[position:])
        if argument == "--set":
            place = "first"
        elif place == "first" or argument.startswith("--set="):
            place = "further"
        elif place == "further" and _is_assignment(argument):
            expanded.append("--set")
        else:
            place = "elsewhere"
        expanded.append(argument)
    return expanded


_ANSWERS = ("-o", "--output", "--plot", "--trace")
"""Options that say where an answer goes, and not what is asked."""


def what_is_asked(arguments: Sequence[str]) -> list[str]:
    """The arguments without the names of files to write, and without the form of the answer."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip or argument == "--json":
            skip = False
        elif argument in _ANSWERS:
            skip = True
        elif not argument.startswith(tuple(f"{name}=" for name in _ANSWERS)):
            kept.append(argument)
    return kept


def _is_assignment(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return kept + arguments[end:], len(kept) < end


def _line_of(error: Exception) -> str:
    if isinstance(error, AccelsimError):
        return str(error)
    if isinstance(error, CLICK_EXCEPTION):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "accelsim"
        return f"{error.format_message().rstrip('.')}; see '{path} --help'"
    if isinstance(error, MemoryError):
        return f"not enough memory: {str(error) or 'try a smaller layer or batch'}"
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else "output: "
        return f"{name}{error.strerror or error}"
    return (
        f"this is a bug in accelsim, please report it: {type(error).__name__}: {error} "
        "(--debug shows where)"
    )


def _fail(message: str) -> int:
    line = " ".join(message.split())
    if sys.stderr is not None:
        sys.stderr.write(f"accelsim: error: {line}\n")
    return FAILED


def _print_what_the_terminal_cannot_spell() -> None:
    """A name outside the terminal's encoding is printed with escapes, and is no error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _close_stdout() -> None:
    """Leave nothing behind that the interpreter would try to write once more as it ends."""
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass
