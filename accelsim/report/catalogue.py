"""What there is to choose from: machines, networks, schemes. Each as a table and as plain data."""

from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from accelsim.errors import AccelsimError
from accelsim.hardware import Hardware
from accelsim.network import Conv2d, Gradient, Layer, Linear, MatMul, Network
from accelsim.quant import Estimator, Scheme, estimator_names, make_estimator
from accelsim.quant.scheme import REALISATIONS
from accelsim.report.format import kib


def layer_kind(layer: Layer) -> str:
    """Its kind, depthwise named as such."""
    if isinstance(layer, Gradient):
        return f"{layer.to} of {layer_kind(layer.of)}"
    return "depthwise" if layer.nest().is_depthwise else layer.kind


def layer_shape(layer: Layer) -> str:
    """Its shape in a few characters: kernel, stride after a slash, channels, image."""
    if isinstance(layer, Gradient):
        return layer_shape(layer.of)
    if isinstance(layer, Conv2d):
        kernel = _pair(layer.kernel)
        stride = "" if layer.stride == (1, 1) else f"/{_side(layer.stride)}"
        channels = f"{layer.in_channels}->{layer.out_channels}"
        if layer.nest().is_depthwise:
            channels = str(layer.in_channels)
        elif layer.groups > 1:
            channels += f" in {layer.groups} groups"
        return f"{kernel}{stride} {channels} {layer.height}x{layer.width}"
    if isinstance(layer, Linear):
        rows = f" x{layer.rows} rows" if layer.rows > 1 else ""
        return f"{layer.in_features}->{layer.out_features}{rows}"
    if isinstance(layer, MatMul):
        copies = f"{layer.copies} of " if layer.copies > 1 else ""
        return f"{copies}{layer.m}x{layer.k} . {layer.k}x{layer.n}"
    return str(layer.input_shape())


def layer_sentence(layer: Layer, batch: int) -> str:
    """Kind, shape and work of a layer in one line."""
    nest = layer.nest(batch)
    padding = ""
    if isinstance(layer, Conv2d):
        if any(layer.padding):
            padding = ", padding " + " ".join(str(side) for side in _short(layer.padding))
        if layer.dilation != (1, 1):
            padding += f", dilation {_side(layer.dilation)}"
    bias = ", bias" if layer.has_bias else ""
    return f"{layer_kind(layer)} {layer_shape(layer)}{padding}{bias}; {millions(nest.macs)} MACs"


def millions(count: int) -> str:
    """A count in millions, to one decimal, or exactly where it is small."""
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count:,}"


def _pair(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}x{sizes[1]}"


def _side(sizes: tuple[int, int]) -> str:
    return str(sizes[0]) if sizes[0] == sizes[1] else _pair(sizes)


def _short(sides: tuple[int, ...]) -> tuple[int, ...]:
    return sides[:1] if len(set(sides)) == 1 else sides


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=side, overflow="fold")
    return table


def hardware_document(hardware: Hardware) -> dict[str, Any]:
    """A machine as plain data: the fields of its YAML file."""
    return {"schema": "accelsim.hardware/1", **hardware.model_dump(mode="json")}


def machines_document(machines: Sequence[Hardware]) -> dict[str, Any]:
    """Several machines as plain data."""
    return {
        "schema": "accelsim.hardware-list/1",
        "hardware": [hardware.model_dump(mode="json") for hardware in machines],
    }


def machines_text(machines: Sequence[Hardware]) -> RenderableType:
    """One line per machine."""
    table = _table(
        "name", "MHz", "array", "buffers, KiB", "DRAM, GB/s", right=("MHz", "DRAM, GB/s")
    )
    for hardware in machines:
        sram = hardware.sram
        sizes = (sram.input_kib, sram.weight_kib, sram.accumulator_kib, sram.output_kib)
        table.add_row(
            Text(hardware.name),
            f"{hardware.clock_mhz:g}",
            f"{hardware.array.rows}x{hardware.array.columns} {hardware.array.dataflow}",
            " / ".join(f"{size:g}" for size in sizes),
            f"{float(hardware.dram.peak_bytes_per_us) / 1000:.4g}",
        )
    return Group(
        table,
        "",
        Text("Buffers: input / weight / accumulator / output. KiB is 1024 bytes, GB 10^9."),
        Text("accelsim hardware NAME prints one as YAML, to start a machine of your own from."),
    )


def networks_document(networks: Sequence[Network]) -> dict[str, Any]:
    """The shelf as plain data."""
    return {
        "schema": "accelsim.network-list/1",
        "networks": [_network_size(network) for network in networks],
    }


def _network_size(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "node_count": len(network.nodes),
        "layer_count": len(network),
        "macs": network.macs(),
        "parameters": network.parameter_count,
    }


def networks_text(networks: Sequence[Network]) -> RenderableType:
    """One line per network."""
    numbers = ("nodes", "layers", "MACs", "parameters")
    table = _table("network", *numbers, "first layer", right=numbers)
    for network in networks:
        table.add_row(
            network.name, str(len(network.nodes)), str(len(network)), millions(network.macs()),
            millions(network.parameter_count), next(iter(network.layer_names), ""),
        )  # fmt: skip
    return Group(
        table,
        "",
        Text("nodes: matrix layers and vector operations. MACs: those of one sample."),
        Text("accelsim networks NAME lists the nodes of one, NAME.LAYER names a layer."),
    )


def network_document(network: Network) -> dict[str, Any]:
    """One network as plain data."""
    return {
        "schema": "accelsim.network/1",
        **_network_size(network),
        "inputs": {name: list(shape) for name, shape in network.inputs.items()},
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                "inputs": list(node.inputs),
                "output_shape": list(network.shape_of(node.name)),
            }
            for node in network.nodes
        ],
        "layers": [_layer_document(layer) for layer in network],
    }


def _layer_document(layer: Layer) -> dict[str, Any]:
    static, spill = layer.nest().traffic_bytes()
    return {
        "name": layer.name,
        "kind": layer_kind(layer),
        "input_shape": list(layer.input_shape()),
        "weight_shape": list(layer.weight_shape()),
        "output_shape": list(layer.output_shape()),
        "macs": layer.nest().macs,
        "closed_form_static_bytes": static,
        "closed_form_spill_bytes": spill,
    }


def network_text(network: Network) -> RenderableType:
    """One line per node; for matrix layers with the closed form of their traffic."""
    table = _table(
        "node", "kind", "shape", "MACs", "static", "spill", right=("MACs", "static", "spill")
    )
    for node in network.nodes:
        if not isinstance(node.work, Layer):
            shape = "x".join(map(str, network.shape_of(node.name)))
            table.add_row(node.name, node.kind, shape)
            continue
        static, spill = node.work.nest().traffic_bytes()
        table.add_row(
            node.name, layer_kind(node.work), layer_shape(node.work),
            millions(node.work.nest().macs), kib(static), kib(spill),
        )  # fmt: skip
    return Group(
        Text(network.name, style="bold"),
        "",
        table,
        "",
        Text(
            "shape of a layer: kernel, stride after a slash, channels, image (height x width); of "
            "the other nodes: the result for one sample."
        ),
        Text(
            "static, spill: closed form of the DRAM traffic of one sample in KB of 1024 bytes, "
            "8-bit operands and 32-bit accumulators, no bias, with buffers that hold the layer."
        ),
    )


def schemes_document() -> dict[str, Any]:
    """The estimators and what may be done with each, as plain data."""
    return {
        "schema": "accelsim.scheme-list/1",
        "estimators": [_estimator_document(make_estimator(name)) for name in estimator_names()],
    }


def _estimator_document(estimator: Estimator) -> dict[str, Any]:
    return {
        "name": estimator.name,
        "summary": _summary(estimator),
        "needs_current_tensor": estimator.needs_current,
        "realisations": _realisations(estimator),
        "parameters": [
            {
                "name": name,
                "default": parameter.default,
                "minimum": parameter.minimum,
                "maximum": parameter.maximum,
            }
            for name, parameter in estimator.parameters.items()
        ],
    }


REALISATIONS_EXPLAINED = (
    "static quantizes at the drain, with a range known before or found there region by region",
    "spill stores the accumulators, loads them again when the range is known, stores the output",
    "spill16 does so through accumulators rounded to 16 bits",
    "lazy stores the accumulators; the consumer requantizes them as it loads",
    "recompute runs the product once for its statistics, once for its values",
    "resident keeps on chip what fits until the range is known, and spills the rest",
)


def schemes_text() -> RenderableType:
    """One line per estimator, and how to name a scheme."""
    table = _table("estimator", "parameters", "realised", "range")
    for name in estimator_names():
        estimator = make_estimator(name)
        parameters = (
            f"{field}={p.default:g} ({p.minimum:g} to {p.maximum:g})"
            for field, p in estimator.parameters.items()
        )
        table.add_row(
            name,
            "\n".join(parameters) or "-",
            _realised(_realisations(estimator)),
            _when(estimator),
        )
    return Group(
        table,
        "",
        *(Text(f"{name}: {_summary(make_estimator(name))}") for name in estimator_names()),
        "",
        Text(
            "A scheme is estimator[:parameter=value,...][/realisation], for example in-hindsight, "
            "in-hindsight:momentum=0.5/static or current/spill."
        ),
        Text("Realisations: " + "; ".join(REALISATIONS_EXPLAINED) + "."),
    )


def _when(estimator: Estimator) -> str:
    """What the range is taken from."""
    if estimator.needs_current:
        return "of the tensor itself"
    if estimator.period is not None:
        return "of the tensor itself, now and then"
    return "of the past" if estimator.remembers else "constant"


def _realised(names: list[str]) -> str:
    """The list in few words."""
    missing = [name for name in REALISATIONS if name not in names]
    if len(names) < len(missing):
        return ", ".join(names)
    return "all but " + ",\n".join(missing) if missing else "all"


def _summary(estimator: Estimator) -> str:
    return (type(estimator).__doc__ or "").strip().splitlines()[0]


def _realisations(estimator: Estimator) -> list[str]:
    """What a scheme with this estimator may be realised as: those that the scheme accepts."""
    found = []
    for realisation in REALISATIONS:
        try:
            Scheme(estimator.name, realisation)
        except AccelsimError:
            continue
        found.append(realisation)
    return found
