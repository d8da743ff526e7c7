"""What a shell may complete: names of layers, machines, schemes and plots, as far as typed."""

from collections.abc import Iterable

from accelsim.errors import AccelsimError


def layers(incomplete: str) -> list[str]:
    """Networks of the shelf, whole or with a dot; after the dot, the layers of that network."""
    from accelsim.network import load_network, network_names

    network, dot, _ = incomplete.partition(".")
    if not dot:
        return _starting((n for name in network_names() for n in (name, f"{name}.")), incomplete)
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
    """Estimators and all; after the slash, the realisations that the estimator can have."""
    from accelsim.quant import estimator_names
    from accelsim.quant.scheme import REALISATIONS

    estimator, slash, _ = incomplete.partition("/")
    if not slash:
        return _starting((*estimator_names(), "all"), incomplete)
    able = [realisation for realisation in REALISATIONS if _can(estimator, realisation)]
    names = [*able, "all"] if able else []
    return _starting((f"{estimator}/{name}" for name in names), incomplete)


def _can(estimator: str, realisation: str) -> bool:
    from accelsim.quant import Scheme

    try:
        Scheme(estimator, realisation)
    except AccelsimError:
        return False
    return True


def studies(incomplete: str) -> list[str]:
    """Studies that ship."""
    from accelsim.study import study_names

    return _starting(study_names(), incomplete)


def energies(incomplete: str) -> list[str]:
    """Energy tables that ship."""
    from accelsim.hardware import energy_table_names

    return _starting(energy_table_names(), incomplete)


def operations(incomplete: str) -> list[str]:
    """The layer itself, and its gradients."""
    from accelsim.network import OPERATIONS

    return _starting(OPERATIONS, incomplete)


def contents(incomplete: str) -> list[str]:
    """What tensors may hold."""
    from accelsim.network.synthetic import ACTIVATION, GRADIENT

    return _starting((ACTIVATION, GRADIENT), incomplete)


def tables(incomplete: str) -> list[str]:
    """Formats of a study's points."""
    from accelsim.study import FORMATS

    return _starting(FORMATS, incomplete)


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
