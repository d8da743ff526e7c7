"""The lines on the page about networks that write PyTorch's weights, and what they give here."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from accelsim.network import evaluate, load_network, with_weights
from tests.docs.blocks import blocks_of

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
nn = torch.nn
PAGE = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


class Block(nn.Module):
    """Two convolutions and a shortcut, named as torchvision names them."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if stride != 1:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class ResNet18(nn.Module):
    """He et al. 2016, for images of 64x64 pixels: a smaller stem, no pooling behind it."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1, self.fc = nn.BatchNorm2d(64), nn.Linear(512, 200)
        sizes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(Block(i, o, stride), Block(o, o, 1)) for i, o, stride in sizes
        )

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def test_the_weights_of_a_pytorch_model_give_its_outputs(tmp_path, monkeypatch):
    torch.manual_seed(0)
    module, images = ResNet18(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        module(torch.randn(2, 3, 64, 64))  # running statistics other than 0 and 1
        module.eval()
        theirs = module(images).numpy()
    (block,) = (b for b in blocks_of(PAGE.name, PAGE.read_text("utf-8")) if "save_file" in b.text)
    models = SimpleNamespace(resnet18=lambda weights: module)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, PAGE.name, "exec"), {})
    network = with_weights(load_network("resnet18-64"), "resnet18.safetensors")
    (name,) = network.outputs
    ours = evaluate(network, {"image": images.numpy()})[name]
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
