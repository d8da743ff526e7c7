"""YAML in and out: a strict reader of small files, and a writer that explains every field."""

import json
import re
import textwrap
from typing import Any, get_origin

import yaml
from pydantic.fields import FieldInfo

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, section_of, show

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class _Reader(yaml.SafeLoader):
    """Plain data only: no aliases, no tags, no field given twice, numbers as they look.

    YAML 1.1 reads 010 as eight, 1:30 as ninety and 1e3 as text. Here a number is decimal, and true,
    false and null are the only words with a meaning.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(None, None, "aliases are refused", event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.composer.ComposerError(None, None, "tags are refused", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.constructor.ConstructorError(
                    None, None, "a field name must be text", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{show(key.value)} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    _Reader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def read_yaml(text: str, where: str) -> Any:
    """Read one YAML document of plain data; `where` names its source in the error."""
    try:
        return yaml.load(text, Loader=_Reader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join((error.problem or "cannot be read").split())
        raise AccelsimError(f"{where}: not plain YAML{place}: {problem[:120]}") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise AccelsimError(f"{where}: not YAML: {problem[:120]}") from None
    except RecursionError:
        raise AccelsimError(f"{where}: not plain YAML: nested too deep") from None
    except ValueError:  # an integer of thousands of digits
        raise AccelsimError(f"{where}: not plain YAML: a number is too long") from None


def write_yaml(part: Part, indent: str = "") -> str:
    """Write a part as YAML, its fields in order, each under a comment that explains it."""
    lines: list[str] = []
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        lines += textwrap.wrap(
            _explained(field),
            width=80,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}# ",
        )
        if isinstance(value, tuple):
            lines += [f"{indent}{name}:" if value else f"{indent}{name}: []"]
            lines += [f"{indent}  - {_flow(item)}" for item in value]
        elif isinstance(value, Part):
            lines += [f"{indent}{name}:", write_yaml(value, indent + "  ").rstrip("\n")]
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}")
    return "\n".join(lines) + "\n"


def _explained(field: FieldInfo) -> str:
    """What a field is; where it is a list, what each line of it has."""
    text = field.description or ""
    item = section_of(field)
    if item is None or get_origin(field.annotation) is not tuple:
        return text
    parts = (f"{name}: {each.description}" for name, each in item.model_fields.items())
    return f"{text}. {'; '.join(parts)}"


def _flow(part: Part) -> str:
    """A part on one line, without what is null."""
    fields = part.model_dump(exclude_none=True).items()
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in fields) + "}"


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return show(value)
    if isinstance(value, str):
        text = str(value)
        word = _WORD.fullmatch(text) and text.lower() not in ("null", "true", "false", "yes", "no")
        return text if word else json.dumps(text, ensure_ascii=False)
    if isinstance(value, float):
        text = repr(int(value)) if value.is_integer() else repr(value)
        # YAML 1.1 readers want a point before the exponent.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return repr(value)
