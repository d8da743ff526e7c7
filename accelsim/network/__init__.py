"""Networks: graphs of layers and vector operations, loop nests, tensors, and the shelf."""

from accelsim.network.backward import Gradients, backpropagate
from accelsim.network.descent import Descent
from accelsim.network.drift import Drift
from accelsim.network.evaluation import evaluate, layer_output, layer_tensors
from accelsim.network.gradient import OPERATIONS, Gradient, operation_of_layer
from accelsim.network.grids import DynamicGrid, TensorGrid
from accelsim.network.layers import Conv2d, Layer, Linear, MatMul
from accelsim.network.loss import loss_of, target_shapes
from accelsim.network.nest import Nest, packed_bytes
from accelsim.network.network import Network, Node, operand_shapes, result_shape
from accelsim.network.shelf import (
    load_layer,
    load_network,
    names_network,
    network_names,
    workloads_folder,
)
from accelsim.network.step_files import load_inputs, load_steps
from accelsim.network.synthetic import ACTIVATION, GRADIENT, KINDS, Synthetic, synthetic_steps
from accelsim.network.synthetic_examples import SyntheticExamples
from accelsim.network.synthetic_network import SyntheticInputs, with_parameters
from accelsim.network.table5 import PublishedRow, load_table5
from accelsim.network.tensors import StepTensors
from accelsim.network.variants import batch_normalized, range_normalized
from accelsim.network.vector import VectorOperation, VectorWork
from accelsim.network.weight_files import with_weights

__all__ = [
    "ACTIVATION",
    "GRADIENT",
    "KINDS",
    "OPERATIONS",
    "Conv2d",
    "Descent",
    "Drift",
    "DynamicGrid",
    "Gradient",
    "Gradients",
    "Layer",
    "Linear",
    "MatMul",
    "Nest",
    "Network",
    "Node",
    "PublishedRow",
    "StepTensors",
    "Synthetic",
    "SyntheticExamples",
    "SyntheticInputs",
    "TensorGrid",
    "VectorOperation",
    "VectorWork",
    "backpropagate",
    "batch_normalized",
    "evaluate",
    "layer_output",
    "layer_tensors",
    "load_inputs",
    "load_layer",
    "load_network",
    "load_steps",
    "load_table5",
    "loss_of",
    "names_network",
    "network_names",
    "operand_shapes",
    "operation_of_layer",
    "packed_bytes",
    "range_normalized",
    "result_shape",
    "synthetic_steps",
    "target_shapes",
    "with_parameters",
    "with_weights",
    "workloads_folder",
]
