"""Small ONNX models made on the spot, and what ONNX Runtime says that they give."""

import numpy as np

from tests.oracles import oracle

onnx, onnxruntime = oracle("onnx", "onnxruntime")


class Model:
    """A graph that grows node by node; constants get names of their own."""

    def __init__(self, **inputs):
        self.inputs = inputs
        self.nodes, self.constants = [], []

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind, *sources, outputs=1, domain="", **attributes):
        names = [s if isinstance(s, str) else self.constant(s) for s in sources]
        made = [f"t{len(self.nodes)}"] if outputs == 1 else [
            f"t{len(self.nodes)}_{i}" for i in range(outputs)
        ]  # fmt: skip
        self.nodes.append(
            onnx.helper.make_node(
                kind, names, made, name=f"n{len(self.nodes)}", domain=domain, **attributes
            )
        )
        return made[0] if outputs == 1 else made

    def proto(self, *outputs, opset=17, batch=None):
        def info(name, array):
            shape = list(array.shape)
            shape[0] = batch or shape[0]
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            return onnx.helper.make_tensor_value_info(name, kind, shape)

        graph = onnx.helper.make_graph(
            self.nodes, "g", [info(n, a) for n, a in self.inputs.items()],
            [onnx.helper.make_empty_tensor_value_info(name) for name in outputs], self.constants,
        )  # fmt: skip
        domains = [onnx.helper.make_opsetid("", opset)]
        domains.append(onnx.helper.make_opsetid("com.microsoft", 1))
        return onnx.helper.make_model(graph, ir_version=9, opset_imports=domains)


def run(proto, inputs):
    """The outputs by ONNX Runtime, every node as it stands."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)
