"""The values of a model from a file, layer by layer through the machine."""

import numpy as np

import accelsim
from accelsim.network import evaluate, layer_tensors, load_network
from tests.network.onnx.models import Model


def test_the_layers_of_a_model_run_with_the_values_they_have_in_it(tmp_path):
    random = np.random.default_rng(0)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    model = Model(x=draw(2, 3, 8, 8))
    hidden = model.add("Relu", model.add("Conv", "x", draw(4, 3, 3, 3), draw(4)))
    hidden = model.add("Flatten", model.add("MaxPool", hidden, kernel_shape=[2, 2], strides=[2, 2]))
    output = model.add("Gemm", hidden, draw(36, 5), draw(5))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.proto(output).SerializeToString())
    network = load_network(path)
    arrays = evaluate(network, model.inputs)
    for layer in network:
        step = layer_tensors(network, layer.name, arrays)
        result = accelsim.simulate(layer, "mcu", "current", data=[step])
        numerics = result.numerics
        real = numerics.output_scale * (result.output - numerics.output_zero_point)
        np.testing.assert_allclose(
            real, arrays[layer.name].reshape(real.shape), atol=8 * numerics.output_scale
        )
        assert numerics.sqnr_db > 25
