"""Dynamic ranges on a multilayer perceptron at inference, over a range of machines."""

from collections.abc import Sequence
from itertools import product

from accelsim.hardware import Hardware, load_hardware
from accelsim.network import Network, load_network
from accelsim.quant import Policy
from accelsim.result import MlpPoint, MlpStatement
from accelsim.simulation.door import compare
from accelsim.simulation.network_schemes import network_policy
from accelsim.simulation.progress import Count, Progress, untold

CLAIM = "Dynamic quantization costs an MLP about 20 % latency at inference."

MACHINES = ("mcu", "edge", "server")
BANDWIDTH_FACTORS = (0.25, 1.0, 4.0)
BATCHES = (1, 16, 256)


def mlp_statement(
    network: str = "mlp",
    machines: Sequence[Hardware | str] = MACHINES,
    batches: Sequence[int] = BATCHES,
    schemes: tuple[str, str] = ("in-hindsight", "current"),
    progress: Progress = untold,
) -> MlpStatement:
    """Each machine with a quarter, all and four times its DRAM bandwidth, at each batch."""
    perceptron = load_network(network)
    static, dynamic = (network_policy(scheme) for scheme in schemes)
    variants = [v for base in machines for v in _with_bandwidths(load_hardware(base))]
    count = Count(progress, len(variants) * len(batches))
    points = []
    for machine, batch in product(variants, batches):
        points.append(_point(perceptron, machine, batch, (static, dynamic)))
        count.one()
    return MlpStatement(
        CLAIM, network, static.activations.label, dynamic.activations.label, tuple(points)
    )


def _with_bandwidths(machine: Hardware) -> list[Hardware]:
    """The machine with an ideal DRAM of other bandwidths; a DRAM by command stays as it is."""
    if machine.dram.model != "ideal":
        return [machine]
    own = machine.dram.bandwidth_gb_per_s
    return [
        load_hardware(machine, {"dram.bandwidth_gb_per_s": own * factor})
        for factor in BANDWIDTH_FACTORS
    ]


def _point(
    network: Network, machine: Hardware, batch: int, schemes: tuple[Policy, Policy]
) -> MlpPoint:
    static, dynamic = compare(network, machine, schemes, None, batch=batch).results
    return MlpPoint(
        hardware=machine.name,
        dram_gb_per_s=float(machine.dram.peak_bytes_per_us) / 1000,
        batch=batch,
        static_cycles=static.total_cycles,
        dynamic_cycles=dynamic.total_cycles,
        static_bytes=static.total_bytes,
        dynamic_bytes=dynamic.total_bytes,
    )
