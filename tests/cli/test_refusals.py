import os
import stat

import numpy as np
import pytest

from accelsim.cli import entry


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--hardware egde", ["hardware='egde'", "did you mean edge?", "mcu"]),
        ("--hardware /no/such.yaml", ["/no/such.yaml", "no such file"]),
        ("--set sram.input_kib=0.01", ["sram.input_kib=0.01", "must be at least"]),
        ("--set array.rows=-3", ["array.rows=-3", ">= 1 and <= 4096"]),
        ("--set clock_mhz=.nan", ["clock_mhz=nan", ">= 0.001"]),
        ("--set array.rows=64 sram.inptu_kib=1", ["sram.inptu_kib", "did you mean input_kib?"]),
        ("--set array.rows", ["array.rows", "must look like"]),
        ("--scheme curent", ["curent", "did you mean 'current'?"]),
        ("--scheme current/static", ["current/static", "current/spill"]),
        ("--scheme in-hindsight:momentum=2", ["momentum", "2", "0.0 to 1.0"]),
        ("--steps 1", ["steps=1", "at least 2"]),
        ("--steps x", ["--steps=x", "whole number"]),
        ("--batch 0", ["batch = 0", "1 to"]),
        ("--batch 1.5", ["--batch=1.5", "whole number"]),
        ("--seed -1", ["seed = -1", "0 to"]),
        ("--drift nan", ["drift walk: amount = nan", "0 to 1"]),
        ("--drift a", ["drift = 'a'", "number", "spike"]),
        ("--drift spike:at=2", ["spike:at=2", "number of steps, 2"]),
        ("--scheme all --energy accelergy-45nm --energy horowitz-45nm", ["given once"]),
        ("--scheme activations=current", ["activations=SCHEME,gradients=SCHEME"]),
        ("--kind weight", ["kind = 'weight'", "activation, gradient"]),
        ("--calibrate -1", ["calibrate = -1", "0 to"]),
        ("--calibrate x", ["--calibrate=x", "whole number"]),
        ("--timing-only --calibrate 3", ["--calibrate=3", "left out"]),
        ("--timing-only --kind gradient", ["--kind=gradient", "left out"]),
        ("--tensors /no/such.safetensors", ["/no/such.safetensors", "no such file"]),
        ("--resume /no/such.json", ["/no/such.json", "No such file"]),
        ("--timing-only --steps 3", ["--steps=3", "left out"]),
        ("--tensors /no/such.npz", ["/no/such.npz", "no such file"]),
        ("--tensors /no/such.npz --batch 2", ["--batch=2", "left out"]),
        ("--jobs 2", ["--jobs=2", "whole networks"]),
        ("--bacth 2", ["--bacth", "--batch", "accelsim compare --help"]),
        ("--output", ["--output", "argument"]),
        ("extra", ["extra", "accelsim compare --help"]),
        ("-o /no/such/folder/x.json", ["output=/no/such/folder/x.json", "no folder"]),
        ("-o /", ["output=/", "folder"]),
        ("--plot /no/such/folder/x.png", ["plot=/no/such/folder/x.png", "no folder"]),
        ("--plot x.gif", ["plot=x.gif", ".png, .svg, .pdf"]),
    ],
)
def test_compare_refuses_in_one_line(refusal, tiny, arguments, parts):
    message = refusal("compare", tiny, *arguments.split())
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("compare", ["LAYER"]),
        ("compare resnt18.layer1", ["resnt18", "did you mean 'resnet18'?"]),
        ("compare resnet18.lyer1", ["lyer1", "layer1.0.conv1"]),
        ("compare resnt18", ["resnt18", "did you mean 'resnet18'?"]),
        ("compare resnet18 --kind gradient", ["--kind=gradient", "left out", "single layer"]),
        ("compare resnet18 --tensors x.npz", ["x.npz", "no such file"]),
        ("compare mlp --timing-only --steps 3", ["--steps=3", "has no values"]),
        ("compare mlp --training --timing-only --calibrate 3", ["--calibrate=3", "has no values"]),
        ("compare resnet18 --plot /no/such/folder/x", ["plot=/no/such/folder/x", "no folder"]),
        ("compare resnet18 --plot x.png", ["plot=x.png", "must be a folder", "several pictures"]),
        ("compare resnet18 --plot x --plot-format gif", ["--plot-format=gif", "png, svg, pdf"]),
        ("compare resnet18 --plot-format svg", ["--plot-format=svg", "it is for --plot DIR"]),
        ("compare mlp --timing-only --jobs 0", ["jobs = 0", "1 to 1024"]),
        ("compare mlp --jobs x", ["--jobs=x", "whole number"]),
        ("compar", ["compar", "compare"]),
        ("--nonsense", ["--nonsense", "accelsim --help"]),
        ("hardware edgy", ["edgy", "did you mean edge?"]),
        ("hardware --set array.rows=2", ["needs the NAME"]),
        ("networks resnet", ["resnet", "resnet18"]),
        ("table5 --hardware tabel5", ["tabel5", "did you mean table5?"]),
    ],
)
def test_other_mistakes_are_one_line_too(refusal, arguments, parts):
    message = refusal(*arguments.split())
    for part in parts:
        assert part in message


def test_a_broken_hardware_file_is_named_with_the_place(refusal, tiny, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("array: {rows: 3\nname: [x")
    message = refusal("compare", tiny, "--hardware", path)
    assert str(path) in message and "line" in message


def test_a_broken_network_file_is_named_with_the_field(refusal, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("name: net\nlayers:\n  - {name: a, kind: conv2d, in_channels: 3}\n")
    message = refusal("compare", f"{path}:a")
    assert str(path) in message and "out_channels" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_tensors_that_are_not_finite_are_refused(refusal, tiny, tmp_path, bad):
    path = tmp_path / "steps.npz"
    inputs = np.zeros((2, 1, 4, 6, 6))
    inputs[1, 0, 2, 3, 4] = bad
    np.savez(path, input=inputs, weights=np.ones((2, 8, 4, 3, 3)))
    message = refusal("compare", tiny, "--tensors", path, "-o", tmp_path / "out.json")
    assert "input" in message and str(bad) in message and "finite" in message
    assert not (tmp_path / "out.json").exists()


def test_tensors_that_do_not_fit_the_layer_are_refused(refusal, tiny, tmp_path):
    path = tmp_path / "steps.npz"
    np.savez(path, input=np.ones((2, 1, 4, 6, 6)), weights=np.ones((2, 8, 5, 3, 3)))
    message = refusal("compare", tiny, "--tensors", path)
    assert "weights" in message and "(8, 5, 3, 3)" in message and "(8, 4, 3, 3)" in message


def test_one_file_cannot_be_both_table_and_picture(refusal, tiny, tmp_path):
    path = tmp_path / "x.svg"
    assert "another file" in refusal("compare", tiny, "-o", path, "--plot", path)
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_refused_before_the_run(refusal, tiny, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("the simulation ran")

    monkeypatch.setattr("accelsim.simulation.compare", never)
    refusal("compare", tiny, "-o", "/no/such/folder/x.txt")
    refusal("compare", tiny, "--plot", "/no/such/folder/x.png")


def test_what_was_there_survives_a_refusal(refusal, tiny, tmp_path):
    path = tmp_path / "old.txt"
    path.write_text("old")
    refusal("compare", tiny, "--steps", "1", "-o", path)
    assert path.read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["old.txt", "tiny.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_leave_to_write_is_refused(refusal, tiny, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot be written" in refusal("compare", tiny, "-o", folder / "x.txt")


def test_a_full_disk_is_one_line(refusal):
    assert "No space left" in refusal("hardware", "edge", "-o", "/dev/full")


def test_an_internal_error_is_one_line_that_calls_itself_a_bug(
    accelsim, refusal, tiny, monkeypatch
):
    def broken(*arguments, **options):
        raise KeyError("two\nlines")

    monkeypatch.setattr("accelsim.simulation.compare", broken)
    message = refusal("compare", tiny)
    assert "bug in accelsim" in message and "KeyError" in message and "--debug" in message
    code, _, err = accelsim("compare", tiny, "--debug")
    assert code == 2 and "Traceback" in err and err.splitlines()[-1].startswith("accelsim: error:")


def test_no_memory_is_one_line(refusal, tiny, monkeypatch):
    def hungry(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("accelsim.simulation.compare", hungry)
    assert "not enough memory" in refusal("compare", tiny)


def test_an_interrupt_is_quiet_and_130(accelsim, tiny, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.simulation.compare", interrupted)
    assert accelsim("compare", tiny) == (entry.INTERRUPTED, "", "")
