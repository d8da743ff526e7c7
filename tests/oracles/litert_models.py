"""One-node int8 TensorFlow Lite models, written with the schema that LiteRT ships, run by LiteRT.

LiteRT has several kernels for one convolution, and they round differently:

- `reference`: MultiplyByQuantizedMultiplier, rounded twice.
- `ruy`: the matrix product of the optimised kernels, on the path in portable C++ that the variable
  RUY_PATHS chooses: rounded once. (Its AVX paths round twice, half up both times.)
- `xnnpack`: the delegate that LiteRT uses by default: a float32 product.

The fully connected layer's reference kernel is none of these; it multiplies in double precision.
"""

import numpy as np

from tests.oracles import oracle

flatbuffers, schema, interpreter = oracle(
    "flatbuffers", "ai_edge_litert.schema_py_generated", "ai_edge_litert.interpreter"
)

KERNELS = {
    "reference": interpreter.OpResolverType.BUILTIN_REF,
    "ruy": interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": interpreter.OpResolverType.AUTO,
}


def convolution(kernels, x, w, bias, scales, zeros, monkeypatch, stride=1):
    """CONV_2D, not padded, of channels-last images and (out, height, width, in) filters."""
    model = _model(x, w, bias, scales, zeros, stride)
    with monkeypatch.context() as environment:
        environment.setenv("RUY_PATHS", "1")
        runner = interpreter.Interpreter(
            model_content=model, experimental_op_resolver_type=KERNELS[kernels], num_threads=1
        )
        runner.allocate_tensors()
        runner.set_tensor(runner.get_input_details()[0]["index"], x)
        runner.invoke()
        return runner.get_tensor(runner.get_output_details()[0]["index"]).copy()


def _model(x, w, bias, scales, zeros, stride):
    batch, height, width, _ = x.shape
    filters, kernel_height, kernel_width, _ = w.shape
    rows, columns = (height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1
    bias_scales = np.float32(scales.input) * scales.weights
    kinds = schema.TensorType
    graph = _filled(
        schema.SubGraphT(),
        tensors=[
            _tensor("x", x.shape, kinds.INT8, 0, [scales.input], zeros[0]),
            _tensor("w", w.shape, kinds.INT8, 1, scales.weights),
            _tensor("b", bias.shape, kinds.INT32, 2, bias_scales),
            _tensor("y", (batch, rows, columns, filters), kinds.INT8, 0, [scales.output], zeros[1]),
        ],
        inputs=[0],
        outputs=[3],
        operators=[
            _filled(
                schema.OperatorT(),
                inputs=[0, 1, 2],
                outputs=[3],
                builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
                builtinOptions=_filled(
                    schema.Conv2DOptionsT(), padding=schema.Padding.VALID, strideH=stride,
                    strideW=stride, dilationHFactor=1, dilationWFactor=1,
                ),
            )
        ],
    )  # fmt: skip
    operator = schema.BuiltinOperator.CONV_2D
    code = _filled(
        schema.OperatorCodeT(), builtinCode=operator, deprecatedBuiltinCode=operator, version=3
    )
    contents = [None, w.astype(np.int8), bias.astype(np.int32)]
    model = _filled(
        schema.ModelT(),
        version=3,
        operatorCodes=[code],
        subgraphs=[graph],
        buffers=[_buffer(content) for content in contents],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name, shape, kind, buffer, scales, zero_point=0):
    quantization = _filled(
        schema.QuantizationParametersT(),
        scale=[float(scale) for scale in scales],
        zeroPoint=[zero_point] * len(scales),
        quantizedDimension=0,
    )
    return _filled(
        schema.TensorT(), name=name, shape=[int(size) for size in shape], type=kind,
        buffer=buffer, quantization=quantization, hasRank=True,
    )  # fmt: skip


def _buffer(content):
    if content is None:
        return schema.BufferT()
    return _filled(schema.BufferT(), data=np.frombuffer(content.tobytes(), np.uint8))


def _filled(table, **fields):
    for field, value in fields.items():
        assert hasattr(table, field), field
        setattr(table, field, value)
    return table
