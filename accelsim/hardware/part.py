"""What every part of a machine description shares: frozen, checked, and refused in one line."""

import difflib
import numbers
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from accelsim.errors import AccelsimError


class Part(BaseModel):
    """A frozen piece of a machine: unknown fields, NaN and values out of bounds are refused.

    The constructor raises `AccelsimError`, one line that names field, value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**{name: plain(value) for name, value in values.items()})
        except ValidationError as error:
            raise AccelsimError(refusal(type(self), error)) from None

    # Pydantic calls a constructor of our own for every nested part too, and would wrap its error.
    # With this mark (RootModel sets it as well) nested parts are validated directly.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def whole(default: int | None, low: int, high: int, description: str) -> Any:
    """Declare an integer from `low` to `high`; a float, a string or a bool is refused."""
    return Field(default=default, ge=low, le=high, strict=True, description=description)


def number(default: float, low: float, high: float, description: str) -> Any:
    """Declare a finite number from `low` to `high`; a string or a bool is refused."""
    return Field(default=default, ge=low, le=high, strict=True, description=description)


def flag(default: bool, description: str) -> Any:
    """Declare a field that is true or false; a number or a string is refused."""
    return Field(default=default, strict=True, description=description)


def choice(default: StrEnum, description: str) -> Any:
    """Declare a field that takes one of the words of its enumeration."""
    return Field(default=default, description=description)


def plain(value: Any) -> Any:
    """Turn a NumPy scalar, as sweeps produce them, into the Python number of the same value."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and hasattr(value, "dtype"):
        return float(value)
    return value


def allowed(field: FieldInfo) -> str:
    """Say what a field takes, to follow 'must be'."""
    section = section_of(field)
    if section is not None:
        kind = "a list of mappings" if get_origin(field.annotation) is tuple else "a mapping"
        return f"{kind} with fields of {', '.join(section.model_fields)}"
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind]
    null = "null or " if type(None) in kinds else ""
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return f"{null}one of {', '.join(kind)}"
    if bool in kinds:
        return f"{null}true or false"
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    if low is None or high is None:
        longest = next((rule.max_length for rule in field.metadata if isinstance(rule, MaxLen)), "")
        if str in kinds:
            return f"{null}text of 1 to {longest} printable characters"
        return f"{null}{' or '.join(repr(kind) for kind in kinds if kind is not type(None))}"
    noun = "a whole number " if int in kinds else ""
    return f"{null}{noun}>= {low:g} and <= {high:.0f}"


def section_of(field: FieldInfo, model: str = "") -> type[Part] | None:
    """Give the part that a field holds, or None where it holds a single value.

    A field that holds one of several parts tells them apart by their `model`; without one, it is
    the first.
    """
    kinds = get_args(field.annotation) or (field.annotation,)
    parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
    for part in parts:
        if "model" in part.model_fields and part.model_fields["model"].default == model:
            return part
    return parts[0] if parts else None


def show(value: Any, longest: int = 60) -> str:
    """Print a value on one line, shortened, whatever it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, StrEnum):
        value = str(value)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a nest too deep
        text = f"({type(value).__name__} too large to print)"
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def close_match(word: str, known: list[str]) -> str:
    """Suggest the known word that was probably meant, or nothing."""
    found = difflib.get_close_matches(word, known, n=1)
    return f", did you mean {found[0]}?" if found else ""


def refusal(kind: type[Part], error: ValidationError) -> str:
    """Turn a pydantic error into one line: the first mistake, and how many more there are."""
    problems = error.errors(include_url=False)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _one_problem(kind, problems[0]) + more


def _one_problem(kind: type[Part], problem: Mapping[str, Any]) -> str:
    mistake = problem.get("ctx", {}).get("error")
    if isinstance(mistake, AccelsimError):  # of a part that checks its fields against each other
        return str(mistake)
    steps = [str(step) for step in problem["loc"]]
    names: list[str] = []
    section: type[Part] = kind
    field: FieldInfo | None = None
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        if (
            field is not None
            and field.discriminator
            and section.model_fields["model"].default == step
        ):
            continue  # pydantic names the chosen part between the field and what is inside
        names.append(step)
        field = section.model_fields.get(step)
        if field is not None:
            section = section_of(field, following) or section
    if problem["type"].startswith("union_tag") and field is not None:
        models = [part.model_fields["model"].default for part in get_args(field.annotation)]
        found = problem["input"].get("model") if isinstance(problem["input"], dict) else None
        return f"{'.'.join(names)}.model={show(found)}: must be one of {', '.join(models)}"
    path = ".".join(" ".join(name.split()) if name.isprintable() else show(name) for name in names)
    if problem["type"] == "extra_forbidden":
        known = list(section.model_fields)
        if other := _of_other_model(kind, names):
            return f"{path}: {other} (fields here: {', '.join(known)})"
        meant = close_match(names[-1], known) or _elsewhere(kind, names[-1])
        return f"{path}: unknown field{meant} (known: {', '.join(known)})"
    if problem["type"] == "missing":
        return f"{path}: missing, must be {allowed(section.model_fields[names[-1]])}"
    expected = f"must be {allowed(field)}" if field is not None else problem["msg"]
    if problem["type"] in ("greater_than_equal", "less_than_equal", "finite_number"):
        expected = expected.replace("a whole number ", "")
    return f"{path}={show(problem['input'])}: {expected}"


def _of_other_model(kind: type[Part], names: list[str]) -> str:
    """That a field is one of another model of its part, if it is."""
    field = kind.model_fields.get(names[0])
    if field is None or not field.discriminator or len(names) != 2:
        return ""
    for part in get_args(field.annotation):
        if names[1] in part.model_fields:
            model = part.model_fields["model"].default
            return f"is a field of {names[0]}.model={model}, and this one has another model"
    return ""


def _elsewhere(kind: type[Part], name: str) -> str:
    """Suggest a field of another section that has exactly this name."""
    for section_name, field in kind.model_fields.items():
        section = section_of(field)
        if section is not None and name in section.model_fields:
            return f", did you mean {section_name}.{name}?"
    return ""
