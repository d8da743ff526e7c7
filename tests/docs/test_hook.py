"""The hook on the page about tensors, in a training loop of PyTorch."""

from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.network import load_steps
from tests.docs.blocks import blocks_of

torch = pytest.importorskip("torch")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "tensors.md"


@pytest.fixture
def recorder_class():
    (block,) = (b for b in blocks_of(PAGE.name, PAGE.read_text("utf-8")) if b.language == "python")
    names = {}
    exec(compile(block.text, PAGE.name, "exec"), names)
    return names["Recorder"]


def train(model, x, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        optimizer.zero_grad()
        (model(x + step) ** 2).mean().backward()
        optimizer.step()


def test_the_hook_is_short():
    (block,) = (b for b in blocks_of(PAGE.name, PAGE.read_text("utf-8")) if b.language == "python")
    code = [line for line in block.text.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 23


def test_the_hook_records_each_step_of_a_convolution(recorder_class, tmp_path):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.ReLU(), conv, torch.nn.ReLU())
    recorder = recorder_class(conv)
    train(model, torch.randn(2, 2, 8, 8), 3)
    recorder.save(tmp_path / "conv")
    layer = accelsim.Conv2d("conv", 3, 4, 3, 8, 8, stride=2, padding=1, bias=True)
    steps = load_steps(tmp_path / "conv.forward.npz")
    assert [step.check(layer) for step in steps] == [2, 2, 2]
    assert not np.array_equal(steps[0].weights, steps[1].weights)
    result = accelsim.simulate(layer, "mcu", data=steps)
    assert result.numerics.sqnr_db > 20
    to_input = load_steps(tmp_path / "conv.grad-input.npz")
    to_weights = load_steps(tmp_path / "conv.grad-weight.npz")
    for operation, given in (("grad-input", to_input), ("grad-weight", to_weights)):
        result = accelsim.simulate(layer, "mcu", data=given, operation=operation)
        assert result.numerics.sqnr_db > 20
    for forward, back, weight in zip(steps, to_input, to_weights, strict=True):
        assert back.input.shape == layer.output_shape(2)
        np.testing.assert_array_equal(back.weights, forward.weights)
        np.testing.assert_array_equal(weight.input, forward.input)
        np.testing.assert_array_equal(weight.weights, back.input)


def test_the_hook_records_the_gradient_that_the_weights_get(recorder_class, tmp_path):
    torch.manual_seed(0)
    linear = torch.nn.Linear(5, 4, bias=False)
    recorder = recorder_class(linear)
    (linear(torch.randn(2, 3, 5)) ** 2).sum().backward()
    recorder.save(tmp_path / "fc")
    layer = accelsim.Linear("fc", 5, 4, rows=3)
    (step,) = load_steps(tmp_path / "fc.forward.npz")
    assert step.check(layer) == 2
    (weight,) = load_steps(tmp_path / "fc.grad-weight.npz")
    np.testing.assert_allclose(
        weight.weights.T @ weight.input, linear.weight.grad.numpy(), rtol=1e-5, atol=1e-5
    )
