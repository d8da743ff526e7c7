"""What a shell may complete: names of layers, machines, schemes and plots, as far as typed."""

from collections.abc import Iterable


def layers(incomplete: str) -> list[str]:
    """Networks of the shelf; after the dot, the layers of that network."""
    from accelsim.network import load_network, network_names

    network, dot, _ = incomplete.partition(".")
    if not dot:
        return _starting((f"{name}." for name in network_names()), incomplete)
    if network not in network_names():
        return []
    return _starting(
        (f"{network}.{name}" for name in load_network(network).layer_names), incomplete
    )


def networks(incomplete: str) -> list[str]:
    """Networks of the shelf."""
    from accelsim.network import network_names

    return _starting(network_names(), incomplete)


def machines(incomplete: str) -> list[str]:
    """Presets of hardware."""
    from accelsim.hardware import preset_names

    return _starting(preset_names(), incomplete)


def devices(incomplete: str) -> list[str]:
    """Presets of DRAM."""
    from accelsim.hardware.dram import device_names

    return _starting(device_names(), incomplete)


def schemes(incomplete: str) -> list[str]:
    """Estimators; after the slash, the realisations."""
    from accelsim.quant import estimator_names
    from accelsim.quant.scheme import REALISATIONS

    estimator, slash, _ = incomplete.partition("/")
    if not slash:
        return _starting(estimator_names(), incomplete)
    return _starting((f"{estimator}/{name}" for name in REALISATIONS), incomplete)


def kinds(incomplete: str) -> list[str]:
    """Kinds of plots."""
    from accelsim.report.plot import KINDS

    return _starting(KINDS, incomplete)


def formats(incomplete: str) -> list[str]:
    """Formats of plots."""
    from accelsim.report.plot.canvas import FORMATS

    return _starting(FORMATS, incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
