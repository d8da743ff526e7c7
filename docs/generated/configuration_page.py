"""The page of every configuration field, written from the descriptions that the package checks by.

python docs/generated/configuration_page.py prints it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from accelsim.hardware import Hardware, load_dram, load_hardware, preset_names
from accelsim.hardware.dram import device_names
from accelsim.hardware.part import Part, allowed, section_of, show
from accelsim.report.catalogue import schemes_document

UNITS = {
    "_mhz": "MHz",
    "_kib": "KiB",
    "_gb_per_s": "GB/s",
    "_ns": "ns",
    "_ps": "ps",
    "_bytes": "bytes",
    "_cycles": "cycles",
    "bits": "bits",
}

HEAD = """\
# Configuration

<!-- Written by docs/generated/configuration_page.py from the descriptions in accelsim/hardware. -->

Every field of a machine, as `accelsim hardware NAME` prints it with its value. A YAML file has
the sections as mappings, `--set` their names with dots: `--set array.rows=64 dram.latency_ns=80`.
A file with `base: edge` starts from that preset, one without from the defaults below. KiB is 1024
bytes, GB 10^9. A field that is unknown, out of bounds or of the wrong kind is refused in one line:

```console
$ accelsim hardware edge --set array.rows=0
accelsim: error: array.rows=0: must be >= 1 and <= 4096
```
"""

DEVICES = """\
## DRAM devices

What `dram.preset` names, and `accelsim dram --preset NAME --show` prints with every field
explained. A file of the same shape takes the place of a name: [adding one](extending.md#a-dram).
"""

SCHEMES = """\
## Schemes

A scheme is `estimator[:parameter=value,...][/realisation]`. What each estimator does is told in
[Range estimators](estimators.md), what each realisation does in [The model](model.md#realisations).
"""


def page() -> str:
    """The whole page in Markdown."""
    parts = [HEAD]
    for path, section in sections(Hardware):
        parts.append(f"{_heading(section, path)}\n\n{_introduction(section)}\n")
        parts.append(_fields(section, path))
        parts.append(_in_presets(section, path))
    parts += [DEVICES, _devices("organisation"), _devices("timing"), SCHEMES, _estimators()]
    return "\n".join(part for part in parts if part)


def sections(part: type[Part], path: str = "") -> Iterator[tuple[str, type[Part]]]:
    """Every section of the description, depth first, by its dotted path; a choice gives several."""
    yield path, part
    for name, field in part.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Part):
                yield from sections(kind, f"{path}.{name}".lstrip("."))


def _heading(section: type[Part], path: str) -> str:
    """A section is linked to by its path; the second of a choice by its model as well."""
    model = section.model_fields.get("model")
    if model is None:
        return f"## {path or 'The machine'} {{ #{path or 'machine'} }}"
    anchor = path if model.default == "ideal" else f"{path}-{model.default}"
    return f"## {path}, model {model.default} {{ #{anchor} }}"


def _introduction(section: type[Part]) -> str:
    return " ".join((section.__doc__ or "").split())


def _fields(section: type[Part], path: str) -> str:
    rows = []
    for name, field in section.model_fields.items():
        if section_of(field) is None:
            unit = _unit(name, path)
            default = _cell(field.default)
            rows.append([f"`{name}`", unit, default, allowed(field), field.description or ""])
        else:
            link = f"[`{name}`](#{f'{path}.{name}'.lstrip('.')})"
            rows.append([link, "", "", "a mapping", field.description or ""])
    return table(["field", "unit", "default", "allowed", "meaning"], rows)


def _unit(name: str, path: str) -> str:
    if name in UNITS.values():
        return name
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            return unit
    return "clocks" if path.endswith(".timing") else ""


def _in_presets(section: type[Part], path: str) -> str:
    """The fields in which a preset differs from the defaults, a column for each preset."""
    presets = {name: _section_of_preset(name, path) for name in preset_names()}
    shown = {name: part for name, part in presets.items() if isinstance(part, section)}
    rows = []
    for name, field in section.model_fields.items():
        values = [getattr(part, name) for part in shown.values()]
        if (
            section_of(field) is None
            and name != "name"
            and any(value != field.default for value in values)
        ):
            rows.append([f"`{name}`", *map(_cell, values)])
    return f"In the presets:\n\n{table(['field', *shown], rows)}" if rows else ""


def _section_of_preset(name: str, path: str) -> Any:
    part: Any = load_hardware(name)
    for step in path.split(".") if path else ():
        part = getattr(part, step, None)
    return part


def _devices(section: str) -> str:
    """One table of all devices that ship."""
    devices = {name: getattr(load_dram(name).device, section) for name in device_names()}
    first = next(iter(devices.values()))
    fields = first._asdict() if section == "organisation" else first
    rows = []
    for name in fields:
        values = [d._asdict() if section == "organisation" else d for d in devices.values()]
        rows.append([f"`{name}`", *(_cell(value.get(name)) for value in values)])
    return f"### {section}\n\n{table([section, *devices], rows)}"


def _estimators() -> str:
    rows = []
    for estimator in schemes_document()["estimators"]:
        parameters = estimator["parameters"] or [None]
        for given in parameters:
            cells = ["", "", ""]
            if given is not None:
                bounds = f"{_cell(given['minimum'])} to {_cell(given['maximum'])}"
                cells = [f"`{given['name']}`", _cell(given["default"]), bounds]
            realised = ", ".join(estimator["realisations"]) or "used by itself, from Python"
            rows.append([f"`{estimator['name']}`", *cells, realised])
    return table(["estimator", "parameter", "default", "allowed", "realisations"], rows)


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else show(value, 100).strip("'")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


if __name__ == "__main__":
    print(page())
