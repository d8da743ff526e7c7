"""A study: one question, the fields that answer it, and the values they take."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.hardware import field_names, load_energy_tables
from accelsim.hardware.part import close_match
from accelsim.network.shelf import workloads_folder
from accelsim.network.yaml_file import read_mapping
from accelsim.report.plot.study import check_plot
from accelsim.study.axes import Axis, parse_axes
from accelsim.study.expression import Expression
from accelsim.study.workload import layer_field_names, layers_of

SCHEME_FIELDS = (
    "scheme", "realisation", "weight_bits", "input_bits", "output_bits", "weights",
    "weight_scales", "inputs", "outputs",
)  # fmt: skip
DATA_FIELDS = ("steps", "seed", "drift")
TRAINING_FIELDS = ("gradient_bits", "weight_gradient_bits", "bifurcation", "momentum")
"""How a training step of a whole network is done: see `lowering.TrainingOptions`."""
RUN_FIELDS = (
    "hardware", "workload", "operation", "batch", *SCHEME_FIELDS, *DATA_FIELDS, *TRAINING_FIELDS,
)  # fmt: skip
"""What a point may set beside fields of the hardware and of a layer."""

FILE_FIELDS = (
    "name", "question", "values", "set", "layer", "axes", "zip", "derive", "where", "energy",
    "plot",
)  # fmt: skip
LARGEST_STUDY = 10_000_000

INFERENCE, TRAINING = "inference", "training"
WHOLE_NETWORK = (INFERENCE, TRAINING)
"""Operations whose points are whole networks; those of the others are layers."""

Coordinates = Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """What a study file says; from Python the same object.

    `set` are fields that stay, `axes` those that vary; `derive` computes further fields of each
    point, in order, and `where` says which points there are. `values` runs real tensors; without,
    only time and bytes. `layer` describes a layer whose `layer.FIELD` may be an axis.
    """

    name: str
    axes: tuple[Axis, ...]
    set: Mapping[str, Any] = field(default_factory=dict)
    layer: Mapping[str, Any] = field(default_factory=dict)
    derive: tuple[tuple[str, Expression], ...] = ()
    where: tuple[Expression, ...] = ()
    values: bool = False
    question: str = ""
    energy: tuple[str, ...] = ()
    plot: Sequence[Mapping[str, Any]] = ()
    """What answers the question: see `report.plot.study`."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isprintable() or not self.name.strip():
            raise AccelsimError(f"name={shown(self.name)}: must be printable text")
        names, derived = self.axis_names, [name for name, _ in self.derive]
        for name in (*self.set, *names, *derived):
            check_field(name, bool(self.layer))
        for name in (*names, *derived):
            if name in self.set or (name in derived and name in names):
                raise AccelsimError(f"{name}: is given twice, as an axis, in set or in derive")
        given = {*self.set, *names, *derived}
        if bool(self.layer) == ("workload" in given):
            raise AccelsimError(
                f"study {self.name}: needs a workload (in set or on an axis), or a layer, not "
                f"{'both' if self.layer else 'neither'}"
            )
        self._check_operations(given)
        if not self.values:
            for name in DATA_FIELDS:
                if name in given and name != "seed":
                    raise AccelsimError(f"{name}: has no effect on a study without values: true")
        for plot in self.plot:
            check_plot(plot)
        load_energy_tables(self.energy)
        if self.size > LARGEST_STUDY:
            raise AccelsimError(
                f"study {self.name}: {self.size:,} points, must be <= {LARGEST_STUDY:,}"
            )

    def _check_operations(self, given: Container[str]) -> None:
        """Points are layers or whole networks, not both, and each has its own fields."""
        operations = self._values_of("operation")
        whole = [operation for operation in operations if operation in WHOLE_NETWORK]
        if whole and len(whole) < len(operations):
            raise AccelsimError(
                f"operation={shown(whole[0])}: is of whole networks and stands with "
                f"{', '.join(WHOLE_NETWORK)} only; operations of layers go to another study"
            )
        if whole and self.layer:
            raise AccelsimError(
                f"operation={shown(whole[0])}: needs a workload, a network, not a layer"
            )
        if TRAINING in whole and self.values:
            raise AccelsimError(
                f"operation={TRAINING}: needs values: false, as a training step is timed without"
            )
        for name in TRAINING_FIELDS:
            if name in given and TRAINING not in whole:
                raise AccelsimError(f"{name}: has no effect without operation: {TRAINING}")

    def _values_of(self, name: str) -> tuple[Any, ...]:
        """All that a field is set to, by `set` or on an axis."""
        found = [self.set[name]] if name in self.set else []
        for axis in self.axes:
            if name in axis.names:
                found += [row[axis.names.index(name)] for row in axis.rows]
        return tuple(found)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The fields on the axes, in order."""
        return tuple(name for axis in self.axes for name in axis.names)

    @property
    def takes_networks(self) -> bool:
        """Whether a point is a whole network instead of a layer."""
        return any(operation in WHOLE_NETWORK for operation in self._values_of("operation"))

    @property
    def size(self) -> int:
        """Points of the whole product, before `where`; a network counts as one."""
        return prod(len(axis) for axis in self.axes)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], name: str = "study") -> "Study":
        """A study from the mapping of a file."""
        for key in data:
            if key not in FILE_FIELDS:
                hint = close_match(str(key), list(FILE_FIELDS))
                raise AccelsimError(
                    f"{shown(key)}: unknown field{hint} (known: {', '.join(FILE_FIELDS)})"
                )
        values, energy = data.get("values", False), data.get("energy", [])
        if not isinstance(values, bool):
            raise AccelsimError(f"values={shown(values)}: must be true or false")
        where = data.get("where", [])
        return cls(
            name=data.get("name", name),
            axes=parse_axes(data.get("axes", {}), data.get("zip", [])),
            set=_flat(_mapping("set", data.get("set", {}))),
            layer=_mapping("layer", data.get("layer", {})),
            derive=tuple(
                (target, Expression(str(text), f"derive.{target}"))
                for target, text in _mapping("derive", data.get("derive", {})).items()
            ),
            where=tuple(
                Expression(text, "where") for text in ([where] if isinstance(where, str) else where)
            ),
            values=values,
            question=" ".join(str(data.get("question", "")).split()),
            energy=tuple(energy if isinstance(energy, list | tuple) else [energy]),
            plot=_plots(data.get("plot", [])),
        )

    def coordinates(self) -> Iterator[dict[str, Any]]:
        """The values on the axes, the last axis fastest; a network is its layers, in order.

        Where points are whole networks, a network is one value.
        """
        axes = [self._by_layer(axis) for axis in self.axes]
        fixed = dict(self.set)
        if "workload" in fixed and not self.takes_networks:
            axes.append(_workload_axis(Axis(("workload",), ((fixed.pop("workload"),),))))
        names = [name for axis in axes for name in axis.names]
        for rows in product(*(axis.rows for axis in axes)):
            yield fixed | dict(zip(names, (value for row in rows for value in row), strict=True))

    def _by_layer(self, axis: Axis) -> Axis:
        by_layer = "workload" in axis.names and not self.takes_networks
        return _workload_axis(axis) if by_layer else axis


def study_names() -> tuple[str, ...]:
    """The studies that ship with the package, sorted."""
    return tuple(sorted(path.stem for path in (workloads_folder() / "studies").glob("*.yaml")))


def load_study(source: str | Path) -> Study:
    """The study in a YAML file, or of this name among those that ship.

    Every mistake is one line that names the file and the field.
    """
    path = Path(source)
    if isinstance(source, str) and source in study_names():
        path = workloads_folder() / "studies" / f"{source}.yaml"
    elif path.suffix not in (".yaml", ".yml"):
        hint = close_match(str(source), list(study_names()))
        raise AccelsimError(
            f"study {shown(str(source))}: must be a YAML file, or one of "
            f"{', '.join(study_names())}{hint}"
        )
    try:
        return Study.from_mapping(read_mapping(path), path.stem)
    except AccelsimError as error:
        message = str(error)
        if message.startswith(str(path)):
            raise
        raise AccelsimError(f"{path}: {message}") from None


def check_field(name: str, has_layer: bool = False) -> None:
    """Refuse a name that a point cannot set."""
    known = [*RUN_FIELDS, *field_names(), *(layer_field_names() if has_layer else ())]
    if name in known and name != "name":
        return
    if name.startswith("layer.") and not has_layer:
        raise AccelsimError(f"{name}: is a field of a layer, but the study describes no layer")
    endings = [field for field in known if field.rpartition(".")[2] == name]
    hint = f", did you mean {endings[0]}?" if endings else close_match(name, known)
    raise AccelsimError(
        f"{name}: unknown field{hint}; an axis is one of {', '.join(RUN_FIELDS)}, or a field of "
        "the hardware such as array.rows (accelsim hardware edge lists them)"
    )


def _workload_axis(axis: Axis) -> Axis:
    """Every network in place of its name: a place on the axis for each of its layers."""
    position = axis.names.index("workload")
    rows = []
    for row in axis.rows:
        try:
            layers = layers_of(row[position])
        except AccelsimError as error:
            raise AccelsimError(f"workload={shown(row[position])}: {error}") from None
        for network, layer in layers:
            rows.append((*row[:position], network, *row[position + 1 :], layer))
    return Axis((*axis.names, "layer"), tuple(dict.fromkeys(rows)))


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AccelsimError(f"{name}={shown(value)}: must be a mapping")
    return value


def _plots(value: Any) -> tuple[Mapping[str, Any], ...]:
    """One plot or several."""
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return tuple(_mapping("plot", plot) for plot in several)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            raise AccelsimError(f"set: {prefix}{name}={shown(value)}: one value; lists go to axes")
        else:
            found[prefix + name] = value
    return found
