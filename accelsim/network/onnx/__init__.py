"""ONNX models as networks, with their weights and the grids of quantized tensors."""

from accelsim.network.onnx.loading import load_onnx

__all__ = ["load_onnx"]
