"""One-node quantized ONNX models, run by ONNX Runtime."""

import numpy as np

from tests.oracles import oracle

onnx, onnxruntime = oracle("onnx", "onnxruntime")


def convolution(x, w, bias, scales, zeros, groups=1, strides=(1, 1), pads=(0, 0, 0, 0)):
    """QLinearConv of NCHW images and OIHW filters; `zeros` are those of the input and output."""
    inputs = {"x": x, **_quantization(w, scales, zeros, x.dtype), "b": bias.astype(np.int32)}
    return _run(
        "QLinearConv", inputs, group=groups, strides=list(strides), pads=list(pads),
        kernel_shape=list(w.shape[2:]), dilations=[1, 1],
    )  # fmt: skip


def product(x, w, scales, zeros):
    """QLinearMatMul of rows x depth and depth x columns."""
    inputs = {"x": x, **_quantization(w, scales, zeros, x.dtype)}
    return _run("QLinearMatMul", inputs)


def _quantization(w, scales, zeros, dtype):
    weight_scales = scales.weights if scales.weights.size > 1 else scales.weights[0]
    return {
        "x_scale": np.float32(scales.input),
        "x_zero": np.asarray(zeros[0], dtype),
        "w": w,
        "w_scale": np.asarray(weight_scales, np.float32),
        "w_zero": np.zeros(np.shape(weight_scales), np.int8),
        "y_scale": np.float32(scales.output),
        "y_zero": np.asarray(zeros[1], dtype),
    }


def _run(kind, inputs, **attributes):
    """Everything but the first input is a constant of the model."""
    first, *others = inputs
    dtype = onnx.helper.np_dtype_to_tensor_dtype(inputs[first].dtype)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, list(inputs), ["y"], **attributes)],
        "one",
        [onnx.helper.make_tensor_value_info(first, dtype, inputs[first].shape)],
        [onnx.helper.make_tensor_value_info("y", dtype, None)],
        [onnx.numpy_helper.from_array(np.asarray(inputs[name]), name) for name in others],
    )
    model = onnx.helper.make_model(
        graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)]
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {first: inputs[first]})[0]
