"""From a preset name, a file or a mapping to a machine, with overrides; every refusal one line."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.hardware.description import Hardware
from accelsim.hardware.dram import CommandDram
from accelsim.hardware.memory import implied_model
from accelsim.hardware.part import close_match, plain, show
from accelsim.hardware.scalesim import machine_of
from accelsim.hardware.text import read_yaml

LARGEST_FILE_BYTES = 1_000_000
_SUFFIX = ".yaml"


@cache
def preset_names() -> tuple[str, ...]:
    """Names of the machines that ship with the package, sorted."""
    found = files(__package__).joinpath("presets").iterdir()
    return tuple(
        sorted(file.name.removesuffix(_SUFFIX) for file in found if file.name.endswith(_SUFFIX))
    )


def preset(name: str) -> Hardware:
    """Give the machine that ships under this name."""
    known = preset_names()
    if not isinstance(name, str) or name not in known:
        hint = close_match(name, list(known)) if isinstance(name, str) else ""
        raise AccelsimError(
            f"hardware={show(name)}: unknown preset{hint} (known: {', '.join(known)})"
        )
    return _preset(name)


@cache
def _preset(name: str) -> Hardware:
    text = files(__package__).joinpath("presets", name + _SUFFIX).read_text(encoding="utf-8")
    return Hardware(**read_yaml(text, f"preset {name}"))


def load_hardware(
    source: str | Path | Hardware | Mapping[str, Any],
    overrides: Mapping[str, Any] | Sequence[str] = (),
) -> Hardware:
    """Give the machine that `source` names, with `overrides` applied to a copy.

    `source` is a preset's name, the path of a YAML file or of a SCALE-Sim configuration (.cfg), a
    mapping of the same shape, or a machine.
    A file may be short: `base: edge` starts from that preset, otherwise from the stated defaults;
    without a `name`, it is called like the file. `overrides` are `array.rows=64` texts, their
    values read as YAML, or a mapping with dotted or nested keys; a later one wins.
    """
    hardware = _load(source)
    changes = _changes(overrides)
    return Hardware(**_merged(hardware.model_dump(), changes)) if changes else hardware


def load_dram(
    preset: str | Path = "ddr4-2400", overrides: Mapping[str, Any] | Sequence[str] = ()
) -> CommandDram:
    """Give the DRAM of a preset or of a device's YAML file, with `overrides` as `load_hardware`.

    `timing.RCD=20` changes the device, `channels=2`, `mapping=RoBaRaCoCh` what is around it.
    """
    return CommandDram(**_merged({"preset": str(preset)}, _changes(overrides, "timing.RCD=20")))


def _load(source: str | Path | Hardware | Mapping[str, Any]) -> Hardware:
    if isinstance(source, Hardware):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source, "custom")
    if isinstance(source, str) and (source in preset_names() or not looks_like_a_path(source)):
        return preset(source)
    if not isinstance(source, str | Path):
        raise AccelsimError(
            f"hardware={show(source)}: must be a preset's name, a path, a mapping or a Hardware"
        )
    where = str(source) if str(source).isprintable() else show(str(source))
    where = where if len(where) <= 200 else where[:197] + "..."
    text = read_text(Path(source), where)
    if Path(source).suffix == ".cfg":
        values = machine_of(text, where)
    else:
        values = read_yaml(text, where)
    if not isinstance(values, dict):
        raise AccelsimError(f"{where}: must be a mapping of fields, not {show(values)}")
    try:
        return _from_mapping(values, Path(source).stem)
    except AccelsimError as error:
        raise AccelsimError(f"{where}: {error}") from None


def looks_like_a_path(text: str) -> bool:
    """Whether a text is meant as a path: it looks like one, or there is such a file."""
    if "/" in text or "\\" in text or text.endswith((".yaml", ".yml", ".cfg")):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a NUL in it
        return False


def read_text(path: Path, where: str) -> str:
    """The text of a file of ours; every refusal one line that begins with `where`."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise AccelsimError(f"{where}: no such file") from None
    except IsADirectoryError:
        raise AccelsimError(f"{where}: is a directory, must be a file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AccelsimError(f"{where}: cannot be read: {reason}") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise AccelsimError(f"{where}: too large, must be <= {LARGEST_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AccelsimError(f"{where}: not UTF-8 text at byte {error.start}") from None


def _from_mapping(values: Mapping[str, Any], name: str) -> Hardware:
    values = _nested(values)
    if "base" not in values:
        start = Hardware(name=_fit_name(name)).model_dump()
    elif values["base"] in preset_names():
        start = _preset(values["base"]).model_dump() | {"name": _fit_name(name)}
    else:
        known = preset_names()
        hint = close_match(str(values["base"]), list(known))
        raise AccelsimError(f"base={show(values['base'])}: must be one of {', '.join(known)}{hint}")
    return Hardware(**_merged(start, {key: values[key] for key in values if key != "base"}))


def _fit_name(stem: str) -> str:
    """Make a file's name a machine's name."""
    return "".join(letter for letter in stem if letter.isprintable()).strip()[:100] or "custom"


def _changes(
    overrides: Mapping[str, Any] | Sequence[str], example: str = "array.rows=64"
) -> dict[str, Any]:
    if isinstance(overrides, Mapping):
        return _nested(overrides)
    if not isinstance(overrides, Sequence):
        raise AccelsimError(f"overrides={show(overrides)}: must be texts like {example}")
    changes: dict[str, Any] = {}
    for text in [overrides] if isinstance(overrides, str) else overrides:
        name, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
        if not equals or not name.strip():
            raise AccelsimError(f"override {show(text)}: must look like {example}")
        change = read_yaml(value, f"override {show(text)}")
        changes = _joined(changes, _nested({name.strip(): change}))
    return changes


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested mappings and NumPy scalars into numbers."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        if not isinstance(path, str):
            raise AccelsimError(f"field {show(path)}: a field name must be text")
        branch = _nested(value) if isinstance(value, Mapping) else plain(value)
        for name in reversed(path.split(".")):
            branch = {name: branch}
        tree = _joined(tree, branch)
    return tree


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two sets of fields as one, all of which are meant; the second has the last word."""
    result = dict(one)
    for name, value in other.items():
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _joined(old, value) if both else value  # type: ignore[arg-type]
    return result


def _merged(start: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `changes` over `start`, a machine. A part that changes its `model` starts afresh."""
    result = dict(start)
    for name, change in changes.items():
        old = result.get(name)
        if name == "dram" and isinstance(change, dict):
            change = implied_model(change)
        if isinstance(old, dict) and isinstance(change, dict) and _same_model(old, change):
            change = _merged(old, change)
        result[name] = change
    return result


def _same_model(old: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    return bool(change.get("model", old.get("model")) == old.get("model"))
