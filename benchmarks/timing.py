"""CPU time of timing runs: every distinct operation of a training step, lowered and run once.

    python benchmarks/timing.py [NETWORK] [BATCH] [DRAM PRESET]

Prints seconds of the processor for the search of a tiling, the rest of lowering, and the run of the
machine, for each of a layer's three products; nothing is kept between operations.
"""

import sys
import time

from accelsim.hardware import load_hardware
from accelsim.lowering import best_tiling, lower, training_operations
from accelsim.machine import run
from accelsim.network import Layer, load_network
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT


def timed(operation, hardware):
    """Seconds of search, lowering and run, and how many commands there were."""
    marks = [time.process_time()]
    best_tiling(operation, hardware, operation.output_bits)
    marks.append(time.process_time())
    program = lower(operation, hardware, "static")
    marks.append(time.process_time())
    run(program, hardware, spans=False)
    marks.append(time.process_time())
    return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2], len(program.commands)


def main(network="resnet18", batch="32", preset="lpddr4-3200"):
    hardware = load_hardware("edge", {"dram.preset": preset})
    layers = [n.work for n in load_network(network).nodes if isinstance(n.work, Layer)]
    run(lower(training_operations(layers[-1])[FORWARD], hardware, "static"), hardware)
    print(f"{network}, batch {batch}, edge with {preset}: CPU seconds")
    print(f"{'':<12}{'search':>9}{'lower':>9}{'run':>9}{'commands':>10}")
    for phase in (FORWARD, GRAD_INPUT, GRAD_WEIGHT):
        distinct = dict.fromkeys(training_operations(layer, int(batch))[phase] for layer in layers)
        rows = [timed(operation, hardware) for operation in distinct]
        search, lowering, machine, commands = (sum(column) for column in zip(*rows, strict=True))
        print(f"{phase:<12}{search:>9.2f}{lowering:>9.2f}{machine:>9.2f}{commands:>10}")


if __name__ == "__main__":
    main(*sys.argv[1:])
