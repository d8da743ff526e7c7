"""The blocks that MobileNetV3 and EfficientNet are made of, as PyTorch exports them."""

import warnings

import numpy as np
import pytest

import accelsim
from accelsim.network import evaluate, load_network

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
nn = torch.nn


class Excitation(nn.Module):
    """Squeeze and excitation: a factor for each channel, from the means of all of them."""

    def __init__(self, channels, activation, gate):
        super().__init__()
        self.fc1, self.activation = nn.Conv2d(channels, 8, 1), activation()
        self.fc2, self.gate = nn.Conv2d(8, channels, 1), gate()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.gate(self.fc2(self.activation(self.fc1(self.pool(x))))) * x


class Inverted(nn.Module):
    """Expand, depthwise, excite, project, and the shortcut."""

    def __init__(self, activation, inner, gate):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(6, 16, 1, bias=False), nn.BatchNorm2d(16), activation(),
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16),
            activation(), Excitation(16, inner, gate),
            nn.Conv2d(16, 6, 1, bias=False), nn.BatchNorm2d(6),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 12), activation(), nn.Dropout(),
            nn.Linear(12, 5),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(x + self.block(x))


@pytest.fixture(
    params=[(nn.Hardswish, nn.ReLU, nn.Hardsigmoid), (nn.SiLU, nn.SiLU, nn.Sigmoid)],
    ids=["mobilenet_v3", "efficientnet"],
)
def exported(request, tmp_path):
    """Images, what the module makes of them, and its file."""
    torch.manual_seed(1)
    module, images = Inverted(*request.param), torch.randn(4, 6, 9, 9)
    with torch.no_grad():
        module(images)  # running statistics
        module.eval()
        expected = module(images).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter needs no other package
        path = tmp_path / "model.onnx"
        torch.onnx.export(
            module, (images,), path, dynamo=False, input_names=["image"], opset_version=17,
            dynamic_axes={"image": {0: "batch"}},
        )  # fmt: skip
    return images.numpy(), expected, path


def test_exported_blocks_have_the_values_of_pytorch_and_run(exported):
    images, expected, path = exported
    network = load_network(path)
    (output,) = network.outputs
    np.testing.assert_allclose(evaluate(network, {"image": images})[output], expected, atol=1e-5)
    kinds = [node.kind for node in network.nodes]
    assert kinds.count("mul") == 1
    assert sum(getattr(node.work, "gates", False) for node in network.nodes) in (3, 4)
    result = accelsim.simulate(network, "edge", "current", {"image": images})
    assert result.outputs[0].sqnr_db > 25
    assert result.weights == "given"
