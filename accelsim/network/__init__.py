"""Layers, their loop nests, tensors for them, and the shelf of networks."""

from accelsim.network.drift import Drift
from accelsim.network.layers import Conv2d, Layer, Linear, MatMul
from accelsim.network.nest import Nest, packed_bytes
from accelsim.network.network import Network
from accelsim.network.shelf import load_layer, load_network, network_names, workloads_folder
from accelsim.network.step_files import load_steps
from accelsim.network.synthetic import ACTIVATION, GRADIENT, TENSORS, Synthetic, synthetic_steps
from accelsim.network.table5 import PublishedRow, load_table5
from accelsim.network.tensors import StepTensors

__all__ = [
    "ACTIVATION",
    "GRADIENT",
    "TENSORS",
    "Conv2d",
    "Drift",
    "Layer",
    "Linear",
    "MatMul",
    "Nest",
    "Network",
    "PublishedRow",
    "StepTensors",
    "Synthetic",
    "load_layer",
    "load_network",
    "load_steps",
    "load_table5",
    "network_names",
    "packed_bytes",
    "synthetic_steps",
    "workloads_folder",
]
