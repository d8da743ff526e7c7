"""A sweep gives the same store however it is run, and however often it is stopped."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import psutil
import pytest

from accelsim import load_hardware, simulate
from accelsim.errors import AccelsimError
from accelsim.network import Linear, load_layer
from accelsim.study import Dask, Plan, Pool, Serial, Store, Study, dry_sweep, sweep, table_of
from accelsim.study.work import work
from tests.study.conftest import TINY

MANY = {"layer.rows": {"from": 1, "to": 12, "step": 1}}

CHILD = """
import sys
from accelsim.study import Study, Store, Serial, Pool, sweep
from tests.study.conftest import TINY
study = Study.from_mapping(TINY | {"axes": TINY["axes"] | MANY})
with Store(sys.argv[1]) as store:
    runner = Pool(2) if sys.argv[2] == "pool" else Serial()
    sweep(study, store, runner, lambda done, total: print(done, flush=True))
""".replace("MANY", repr(MANY))


@pytest.fixture
def many(make):
    return make(axes=TINY["axes"] | MANY)


def dumped(path, study, runner):
    with Store(path) as store:
        summary = sweep(study, store, runner)
        return list(store.dump()), summary


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    study = Study.from_mapping(TINY | {"axes": TINY["axes"] | MANY})
    return dumped(tmp_path_factory.mktemp("expected") / "s.db", study, Serial())[0]


def test_a_point_is_what_simulate_gives(tmp_path, tiny):
    with Store(tmp_path / "s.db") as store:
        sweep(tiny, store, Serial())
        row = next(row for row in store.rows() if row.status == "done")
    machine = {"array.rows": row.coordinates["array.rows"], "sram.weight_kib": 16}
    layer = Linear("other-name", 48, 32, rows=row.coordinates["layer.rows"])
    result = simulate(layer, load_hardware("edge", machine), row.coordinates["scheme"], None)
    assert row.record["total_cycles"] == result.total_cycles
    assert row.record["traffic"] == [t.to_dict() for t in result.traffic]
    assert row.record["actions"] == [a.to_dict() for a in result.actions]


def shelf_of(folder, name, layer):
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\nlayers:\n  - {{name: {layer}, kind: conv2d, in_channels: 3, "
        "out_channels: 8, kernel: 3, height: 6, width: 6}\n"
    )
    return str(path)


@pytest.mark.parametrize("mode", ["nearest-even", "stochastic"])
def test_equal_shapes_of_different_networks_are_one_simulation_of_equal_bits(tmp_path, mode):
    networks = [shelf_of(tmp_path, "one", "first"), shelf_of(tmp_path, "two", "second")]
    study = Study.from_mapping(
        {
            "name": "equal",
            "values": True,
            "set": {"requantizer.mode": mode},
            "axes": {"workload": networks, "scheme": ["in-hindsight", "current"]},
        }
    )
    with Store(tmp_path / "s.db") as store:
        summary = sweep(study, store, Serial())
        records = {
            (r.coordinates["layer"], r.coordinates["scheme"]): r.record for r in store.rows()
        }
    assert (summary.points, summary.computed) == (4, 2)
    for scheme in ("in-hindsight", "current"):
        assert records["first", scheme]["numerics"] == records["second", scheme]["numerics"]
    machine = load_hardware("edge", {"requantizer.mode": mode})
    alone = [
        simulate(replace(load_layer(f"{network}:{name}"), name="layer"), machine, "current").output
        for network, name in zip(networks, ("first", "second"), strict=True)
    ]
    assert (alone[0] == alone[1]).all()
    # The bits of stochastic rounding are keyed by a name: these points have the same one.
    named = simulate(load_layer(f"{networks[0]}:first"), machine, "current").output
    assert (named == alone[0]).all() == (mode != "stochastic")


def test_values_come_with_a_study_that_asks_for_them(tmp_path, make):
    study = make(values=True, axes={"scheme": ["in-hindsight", "current"]}, set={"steps": 3})
    with Store(tmp_path / "s.db") as store:
        sweep(study, store, Serial())
        found = [row.record["numerics"]["sqnr_db"] for row in store.rows()]
    layer = Linear("layer", 48, 32)
    direct = [
        simulate(layer, scheme=scheme, steps=3).numerics.sqnr_db
        for scheme in ("in-hindsight", "current")
    ]
    assert found == direct


def test_a_pool_gives_the_store_of_one_process(tmp_path, many, expected):
    found, summary = dumped(tmp_path / "pool.db", many, Pool(2))
    assert found == expected
    assert summary.computed == summary.simulations == 96


def test_dask_gives_the_store_of_one_process_also_when_a_worker_is_killed(tmp_path, many, expected):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Store(tmp_path / "dask.db") as store,
    ):
        victim = next(iter(cluster.workers.values())).process.pid

        def kill(done, total):
            if psutil.pid_exists(victim) and done > 5:
                os.kill(victim, signal.SIGKILL)

        summary = sweep(many, store, Dask(cluster.scheduler_address), kill)
        assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == "zombie"
        assert list(store.dump()) == expected
    assert summary.computed == 96


def test_a_pool_that_is_killed_leaves_no_message_behind(tmp_path):
    """Python's tracker of semaphores outlives it, and would warn of what it then removes."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "s.db"), "pool"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in child.stdout:
        if int(line) > 3:
            child.kill()
            break
    _, errors = child.communicate()  # until the last process that has them open has ended
    assert child.returncode == -signal.SIGKILL and errors == ""


def test_a_process_of_the_pool_that_is_killed_is_replaced(tmp_path, many, expected):
    killed = []

    def kill(done, total):
        if not killed and done > 3:
            leaves = [
                p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid()
            ]
            workers = [p for p in leaves if "forkserver" in " ".join(p.cmdline())]
            if workers:
                killed.append(workers[0].pid)
                workers[0].kill()

    with Store(tmp_path / "pool.db") as store:
        sweep(many, store, Pool(2), kill)
        assert list(store.dump()) == expected
    assert killed


@pytest.mark.parametrize("how", ["serial", "pool"])
def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path, many, expected, how):
    path = tmp_path / "killed.db"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), how], stdout=subprocess.PIPE, text=True
    )
    for line in child.stdout:
        if int(line) > 20:
            child.kill()
            break
    child.stdout.read()
    child.wait()
    assert child.returncode == -signal.SIGKILL
    child.stdout.close()
    with Store(path) as store:
        kept = len(store.known_keys())
        partial = [line for line in store.dump() if '"done"' in line]
        assert 20 < kept < 96
        assert set(partial) < set(expected)
        summary = sweep(many, store, Serial())
        assert summary.computed == 96 - kept
        assert list(store.dump()) == expected


def test_two_sweeps_at_once_into_one_store_are_safe(tmp_path, many, expected):
    path = tmp_path / "both.db"
    command = [sys.executable, "-c", CHILD, str(path), "serial"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait() for child in both] == [0, 0]
    with Store(path) as store:
        assert list(store.dump()) == expected


def test_what_another_sweep_is_at_is_left_to_it_unless_it_never_comes(tmp_path, tiny):
    tasks = Plan.of(tiny).missing
    told = []
    with Store(tmp_path / "s.db") as store, Store(tmp_path / "s.db") as other:
        for task in tasks[:3]:
            assert other.claim(task.key, "a sweep that is slow, and killed in the end")

        def go_on(done, total):
            told.append(done)
            if done == 1:
                other.put(work(tasks[:2]))

        summary = sweep(tiny, store, Serial(), go_on)
        assert summary.computed == 14 and told[-1] == 14
        assert store.known_keys() == {task.key for task in tasks}
        assert sweep(tiny, store, Serial()).computed == 0


def test_two_sweeps_share_the_work(tmp_path, tiny):
    tasks = Plan.of(tiny).missing
    with Store(tmp_path / "s.db") as store, Store(tmp_path / "s.db") as other:
        second = []

        def sweep_too(done, total):
            if done == 5:
                second.append(sweep(tiny, other, Serial()).computed)

        first = sweep(tiny, store, Serial(), sweep_too).computed
    assert (first, second) == (5, [len(tasks) - 5])


def test_an_interrupt_keeps_what_was_computed(tmp_path, many, expected):
    def interrupt(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with Store(tmp_path / "s.db") as store:
        summary = sweep(many, store, Serial(), interrupt)
        assert summary.interrupted and summary.computed == 7
        assert sweep(many, store, Serial()).computed == 89
        assert list(store.dump()) == expected


def test_progress_is_told_up_to_the_end(tmp_path, tiny):
    told = []
    with Store(tmp_path / "s.db") as store:
        sweep(tiny, store, Serial(), lambda done, total: told.append((done, total)))
    assert told == [(n, 16) for n in range(1, 17)]


def test_a_mistake_of_the_program_is_a_broken_point_and_stops_nothing(tiny, monkeypatch):
    tasks = Plan.of(tiny).missing[:3]

    def breaks(*args, **kwargs):
        raise KeyError("x")

    monkeypatch.setattr("accelsim.study.work.simulate", breaks)
    assert [(o.status, o.text) for o in work(tasks)] == [("broken", "KeyError: 'x'")] * 3


def test_a_dry_run_counts_and_writes_nothing(tmp_path, tiny):
    plan = dry_sweep(tiny, None, Pool(3))
    assert (plan.points, plan.simulations, plan.missing, plan.workers) == (24, 16, 16, 3)
    assert 0 < plan.estimated_seconds < 60
    with Store(tmp_path / "s.db") as store:
        sweep(tiny, store, Serial())
    done = dry_sweep(tiny, tmp_path / "s.db", Serial())
    assert (done.missing, done.estimated_seconds) == (0, 0)


def test_a_study_of_no_point_is_refused(tmp_path, make):
    with pytest.raises(AccelsimError, match="of 24 combinations none meets every condition"):
        dry_sweep(make(where="array.rows > 99"), None, Serial())


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        (lambda: Pool(0), "jobs = 0: must be a whole number from 1 to 1024"),
        (lambda: Dask("local:0"), "local:0'?: must be local:N"),
        (lambda: Dask("local:x"), "local:x'?: must be local:N"),
        (lambda: Dask("tcp://127.0.0.1:1"), "no scheduler answers there"),
        (lambda: Dask("nonsense://x"), "no scheduler answers there"),
    ],
)
def test_an_executor_that_cannot_be_is_one_line(runner, message, tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("accelsim.study.executors.CONNECT_SECONDS", 0.2)
    with pytest.raises(AccelsimError, match=message), Store(tmp_path / "s.db") as store:
        sweep(tiny, store, runner())


def test_threads_of_a_user_may_read_while_a_sweep_writes(tmp_path, tiny):
    counts = []
    with Store(tmp_path / "s.db") as store:

        def look(done, total):
            def read():
                with Store(tmp_path / "s.db", read_only=True) as other:
                    counts.append(len(table_of(other)))

            thread = threading.Thread(target=read)
            thread.start()
            thread.join()

        sweep(tiny, store, Serial(), look)
    assert counts == [24] * 16
