"""Cycle-level simulator of a fixed-point neural-network accelerator.

    import accelsim
    result = accelsim.simulate("resnet18.layer1", "edge", "in-hindsight")
    comparison = accelsim.compare("resnet18.layer1")
    network = accelsim.compare("digits-cnn", batch=64)

Names are loaded when they are first used, so that importing the package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.hardware import Hardware, load_dram, load_hardware
    from accelsim.lowering import TrainingOptions
    from accelsim.network import (
        Conv2d,
        Linear,
        MatMul,
        Network,
        StepTensors,
        load_layer,
        load_network,
        load_steps,
        synthetic_steps,
    )
    from accelsim.quant import Scheme
    from accelsim.result import (
        Comparison,
        DramResult,
        NetworkComparison,
        NetworkResult,
        Result,
    )
    from accelsim.simulation import (
        compare,
        drive_dram,
        simulate,
        table5,
    )
    from accelsim.study import Store, Study, load_study, sweep

__version__ = "0.1.0"

_HOMES = {
    "Hardware": "accelsim.hardware",
    "load_dram": "accelsim.hardware",
    "load_hardware": "accelsim.hardware",
    "TrainingOptions": "accelsim.lowering",
    "Conv2d": "accelsim.network",
    "Linear": "accelsim.network",
    "MatMul": "accelsim.network",
    "Network": "accelsim.network",
    "StepTensors": "accelsim.network",
    "load_layer": "accelsim.network",
    "load_network": "accelsim.network",
    "load_steps": "accelsim.network",
    "synthetic_steps": "accelsim.network",
    "Store": "accelsim.study",
    "Study": "accelsim.study",
    "load_study": "accelsim.study",
    "sweep": "accelsim.study",
    "Scheme": "accelsim.quant",
    "Comparison": "accelsim.result",
    "DramResult": "accelsim.result",
    "NetworkComparison": "accelsim.result",
    "NetworkResult": "accelsim.result",
    "Result": "accelsim.result",
    "compare": "accelsim.simulation",
    "drive_dram": "accelsim.simulation",
    "simulate": "accelsim.simulation",
    "table5": "accelsim.simulation",
}

__all__ = [
    "AccelsimError",
    "Comparison",
    "Conv2d",
    "DramResult",
    "Hardware",
    "Linear",
    "MatMul",
    "Network",
    "NetworkComparison",
    "NetworkResult",
    "Result",
    "Scheme",
    "StepTensors",
    "Store",
    "Study",
    "TrainingOptions",
    "__version__",
    "compare",
    "drive_dram",
    "load_dram",
    "load_hardware",
    "load_layer",
    "load_network",
    "load_steps",
    "load_study",
    "simulate",
    "sweep",
    "synthetic_steps",
    "table5",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
