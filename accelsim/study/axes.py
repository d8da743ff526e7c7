"""The axes of a study: which fields take which values, one by one or several in step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError, shown, whole

MOST_VALUES = 100_000
RANGE_FIELDS = ("from", "to", "step", "factor")


@dataclass(frozen=True)
class Axis:
    """Fields that move together: one row of values for each place on the axis."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        label = " and ".join(self.names)
        if not self.rows:
            raise AccelsimError(f"axis {label}: has no values, so there would be no point at all")
        seen = set()
        for row in self.rows:
            if row in seen:
                value = row[0] if len(row) == 1 else row
                raise AccelsimError(f"axis {label}: {shown(value)} is given twice")
            seen.add(row)

    def __len__(self) -> int:
        return len(self.rows)


def parse_axes(axes: Any, zips: Any) -> tuple[Axis, ...]:
    """The axes of a file: `axes` a mapping from field to values, `zip` a list of such mappings."""
    found = [
        Axis((name,), tuple((value,) for value in values_of(name, values)))
        for name, values in _mapping("axes", axes).items()
    ]
    if not isinstance(zips, Sequence) or isinstance(zips, str):
        raise AccelsimError(f"zip={shown(zips)}: must be a list of mappings from field to values")
    for group in zips:
        found.append(_zipped(_mapping("zip", group)))
    names = [name for axis in found for name in axis.names]
    for name in names:
        if names.count(name) > 1:
            raise AccelsimError(f"axis {name}: is given {names.count(name)} times, must be once")
    return tuple(found)


def _zipped(group: Mapping[str, Any]) -> Axis:
    columns = {name: values_of(name, values) for name, values in group.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items()) or "it is empty"
        raise AccelsimError(f"zip: its fields need equally many values, but {told}")
    return Axis(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def values_of(name: str, values: Any) -> tuple[Any, ...]:
    """The values of an axis: a list, or a range such as {from: 16, to: 128, factor: 2}."""
    if isinstance(values, Mapping):
        return _range(name, values)
    if isinstance(values, str) or not isinstance(values, Sequence):
        values = [values]
    if len(values) > MOST_VALUES:
        raise AccelsimError(f"axis {name}: {len(values)} values, must be <= {MOST_VALUES}")
    for value in values:
        if not isinstance(value, str | int | float | bool | None):
            raise AccelsimError(
                f"axis {name}: {shown(value)}: must be a number, a text, true, false or null"
            )
    return tuple(values)


def _range(name: str, given: Mapping[str, Any]) -> tuple[float, ...]:
    if set(given) not in ({"from", "to", "step"}, {"from", "to", "factor"}):
        raise AccelsimError(
            f"axis {name}: a range has from, to and step, or from, to and factor, "
            f"not {', '.join(map(str, given)) or 'nothing'}"
        )
    for field, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AccelsimError(f"axis {name}: {field}={shown(value)}: must be a number")
    start, stop = given["from"], given["to"]
    if "step" in given and given["step"] <= 0:
        raise AccelsimError(f"axis {name}: step={given['step']}: must be above 0")
    if "factor" in given and (given["factor"] <= 1 or start <= 0):
        raise AccelsimError(f"axis {name}: factor must be above 1, and from above 0")
    found: list[float] = []
    while (value := _place(given, start, len(found))) <= stop * (1 + 1e-12):
        found.append(value)
        whole(f"axis {name}: number of values", len(found), 1, MOST_VALUES)
    return tuple(found)


def _place(given: Mapping[str, Any], start: float, number: int) -> float:
    """Computed anew for each place, so that no error adds up; whole numbers stay whole."""
    value: float = (
        start + given["step"] * number if "step" in given else start * given["factor"] ** number
    )
    fractional = any(isinstance(each, float) for each in given.values())
    return float(value) if fractional else value


def _mapping(field: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise AccelsimError(f"{field}={shown(value)}: must be a mapping from field to values")
    return value
