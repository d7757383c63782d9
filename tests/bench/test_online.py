"""The online protocol on tiny worlds; on the real trace where PLACER_OPENB names its folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.__main__ import bench
from bench.online import POLICIES, Trace, play, read_orders, until_full
from bench.policies import SIMPLE, BestFit, Clustering, DotProduct, FirstFit, Packing
from bench.warm import WAYS, Warm
from bench.world import Choice, Pod, World

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,1000,2,T4\nn1,8000,1000,1,P100\n"
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos\n"
    "half,1000,1,1,500,,LS\nwhole,1000,1,1,1000,T4|P100,LS\npair,1000,1,2,1000,,LS\ncpu,1000,1,0,0,,BE\n"
)
ORDERS = {"7": {"pods": [0, 3, 1, 2, 0], "node_rank": [1, 0]}, "8": {"pods": [2, 1], "node_rank": [0, 1]}}


def share(milli: int, name: str = "share") -> Pod:
    return Pod(name, cpu_milli=1000, memory_mib=1, gpus=1, milli=milli)


def whole(gpus: int = 1) -> Pod:
    return Pod(f"whole-{gpus}", cpu_milli=1000, memory_mib=1, gpus=gpus, milli=1000)


def world(*devices: list[int], cpu: int = 8000, rank: list[int] | None = None) -> World:
    return World([cpu] * len(devices), [1000] * len(devices), devices, ["T4"] * len(devices), rank)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    made = {"nodes.csv": NODES, "pods.csv": PODS, "orders.json": json.dumps(ORDERS)}
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return [part for name in made for part in (f"--{name.split('.')[0]}", str(tmp_path / name))]


def test_arrivals_count_as_long_as_they_ask_for_no_more_than_all() -> None:
    pods = [share(600, "a"), share(400, "b"), Pod("cpu", 1, 1), share(1, "c"), Pod("late", 1, 1)]
    assert [pod.name for pod in until_full(pods, 1000)] == ["a", "b", "cpu"]


def test_a_pod_that_fits_nowhere_is_dropped_and_still_has_arrived() -> None:
    played = play(world([1000, 1000]), [share(600), share(600), share(600), share(200)], FirstFit())
    assert (played.arrived, played.placed) == (4, 3)
    assert (played.arrived_milli, played.allocated, played.capacity) == (2000, 1400, 2000)
    assert played.percent == 70


def test_the_trace_is_read_with_its_accepted_models(files: list[str]) -> None:
    trace = Trace.read(Path(files[1]), Path(files[3]))
    assert trace.pods[1] == Pod("whole", 1000, 1, 1, 1000, frozenset({"T4", "P100"}))
    assert trace.pods[3] == Pod("cpu", 1000, 1)
    assert trace.world().free.tolist() == [[1000, 1000], [1000, 0]]


def test_the_command_prints_a_line_for_each_order_and_policy(files: list[str]) -> None:
    result = CliRunner().invoke(bench, ["online", *files, "--policy", "fgd", "--policy", "best-fit"])
    assert result.exit_code == 0, result.output
    lines = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(line["policy"], line["seed"]) for line in lines] == [
        ("fgd", 7),
        ("fgd", 8),
        ("best-fit", 7),
        ("best-fit", 8),
    ]
    # Order 8: the pair takes node 0, the whole one the other device; all of 3 GPUs.
    assert lines[1]["gpu_percent"] == 100
    assert "median ms" in result.stderr


def test_an_unknown_seed_and_a_missing_column_are_said(files: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(bench, ["online", *files, "--seeds", "9"])
    assert result.exit_code == 2
    assert "there is no '9'" in result.stderr
    (tmp_path / "pods.csv").write_text("name\nx\n", encoding="utf-8")
    result = CliRunner().invoke(bench, ["online", *files])
    assert result.exit_code == 2
    assert "pods.csv: there is no 'cpu_milli', expected the trace's pod CSV." in result.stderr


def test_first_fit_goes_by_rank() -> None:
    assert FirstFit().choose(world([1000], [1000], [400], rank=[2, 1, 0]), share(500)) == (1, (0,))


def test_best_fit_leaves_least_over() -> None:
    assert BestFit().choose(world([1000, 1000], [1000, 0], [400, 1000]), share(300)) == (1, (0,))
    assert BestFit().choose(world([1000], [400]), share(300)) == (1, (0,))


def test_best_fit_takes_the_tightest_device() -> None:
    assert BestFit().choose(world([1000, 500, 400]), share(400)) == (0, (2,))


def test_dot_product_goes_where_least_is_free() -> None:
    assert DotProduct().choose(world([1000] * 8, [1000]), whole()) == (1, (0,))


def test_packing_prefers_shared_devices_then_nodes_in_use_then_small_idle_nodes() -> None:
    shared, used, small, large = [600, 1000], [400, 1000], [1000], [1000, 1000]
    assert Packing().choose(world(large, small, used, shared), share(500)) == (3, (0,))
    assert Packing().choose(world(large, small, used), share(500)) == (2, (1,))
    assert Packing().choose(world(large, small), share(500)) == (1, (0,))


def test_clustering_keeps_kinds_apart() -> None:
    here = world([1000, 1000], [1000, 1000], [1000, 1000])
    policy = Clustering()
    for pod, node in [(share(500), 0), (whole(), 1), (share(600), 0), (whole(), 1), (whole(2), 2)]:
        choice = policy.choose(here, pod)
        assert choice is not None
        assert choice[0] == node
        here.place(pod, *choice)


@pytest.mark.parametrize(
    ("pod", "choice"),
    [
        (share(500), (0, (1,))),
        (share(400), (0, ())),
        (whole(2), (0, (0, 0))),
        (Pod("cpu", 9000, 1), (0, ())),
        (Pod("memory", 1, 1001), (0, ())),
        (Pod("p100", 1, 1, 1, 100, frozenset({"P100"})), (0, (0,))),
    ],
)
def test_the_world_gives_nothing_that_it_does_not_have(pod: Pod, choice: Choice) -> None:
    here = world([1000, 400])
    with pytest.raises(ValueError, match=pod.name):
        here.place(pod, *choice)
    assert here.free.tolist() == [[1000, 400]]


def test_release_gives_back_what_place_took() -> None:
    here = world([1000, 1000])
    here.place(whole(2), 0, [0, 1])
    assert (here.idle[0], here.whole[0], here.cpu[0]) == (0, 0, 7000)
    here.release(whole(2), 0, [0, 1])
    assert (here.idle[0], here.whole[0], here.largest[0], here.cpu[0]) == (2000, 2, 1000, 8000)


PODS_OF_ANY_KIND = st.builds(
    lambda cpu, memory, gpus, milli, models: Pod(
        "pod", cpu, memory, gpus, 1000 if gpus > 1 else milli if gpus else 0, models if gpus else None
    ),
    st.integers(0, 3000),
    st.integers(0, 600),
    st.integers(0, 3),
    st.sampled_from([100, 300, 500, 810, 1000]),
    st.sampled_from([None, frozenset({"T4"}), frozenset({"A10"}), frozenset({"T4", "P100"})]),
)


@pytest.mark.parametrize("name", [*SIMPLE, "fgd", "session"])
@given(pods=st.lists(PODS_OF_ANY_KIND, max_size=15), seed=st.integers(0, 3))
def test_a_policy_keeps_every_limit_and_drops_only_what_fits_nowhere(name: str, pods: list[Pod], seed: int) -> None:
    rows = [[1000, 1000, 1000], [1000], []]
    here = World([4000, 3000, 8000], [1000, 500, 1000], rows, ["T4", "P100", ""])
    trace = Trace([], pods)
    policy = trace.policy(name, here, seed)
    left = [Left(4000, 1000, [1000] * 3, "T4"), Left(3000, 500, [1000], "P100"), Left(8000, 1000, [], "")]
    for pod in pods:
        choice = policy.choose(here, pod)
        if choice is None:
            assert not any(node.room(pod) for node in left)
            continue
        node, devices = choice
        assert left[node].room(pod)
        assert len(set(devices)) == pod.gpus
        for mover, was, now in policy.carry_out() if isinstance(policy, Warm) else ():
            here.release(mover, *was)
            for sign, (at, some) in ((1, was), (-1, now)):
                left[at].cpu += sign * mover.cpu_milli
                left[at].memory += sign * mover.memory_mib
                for device in some:
                    left[at].devices[device] += sign * mover.milli
            here.place(mover, *now)
        here.place(pod, node, devices)
        left[node].cpu -= pod.cpu_milli
        left[node].memory -= pod.memory_mib
        for device in devices:
            left[node].devices[device] -= pod.milli
            assert left[node].devices[device] >= 0


@dataclass
class Left:
    """What a node has left, counted another way than the world does."""

    cpu: int
    memory: int
    devices: list[int]
    model: str

    def room(self, pod: Pod) -> bool:
        on_devices = any(all(left >= pod.milli for left in some) for some in combinations(self.devices, pod.gpus))
        accepted = not pod.gpus or pod.models is None or self.model in pod.models
        return pod.cpu_milli <= self.cpu and pod.memory_mib <= self.memory and on_devices and accepted


@pytest.mark.skipif("PLACER_OPENB" not in os.environ, reason="PLACER_OPENB names no folder with the openb trace")
@pytest.mark.parametrize(("policy", "known"), [("fgd", 95.14), ("best-fit", 92.94), ("session", 96.23)])
def test_the_real_trace_gives_what_the_simulator_gives_and_a_session_more(policy: str, known: float) -> None:
    folder = Path(os.environ["PLACER_OPENB"])
    trace = Trace.read(folder / "openb_node_list_gpu_node.csv", folder / "openb_pod_list_default.csv")
    (order,) = read_orders(folder / "orders_default_seeds42-51.json", [42])
    world = trace.world(order.rank)
    played = play(world, [trace.pods[row] for row in order.pods], trace.policy(policy, world))
    assert played.percent == pytest.approx(known, abs=0.01)
    if policy == "fgd":
        assert 95.0 <= played.percent <= 95.5


def test_every_simple_policy_is_offered() -> None:
    assert set(POLICIES) == {*SIMPLE, "fgd", *WAYS}


def test_however_a_session_is_asked_all_that_fits_together_is_placed_and_the_judge_finds_nothing_wrong() -> None:
    pods = [share(600), share(600), share(400), share(400), whole(2)]
    for name in WAYS:
        here = world([1000, 1000], [1000, 1000])
        policy = Trace([], pods).policy(name, here)
        assert isinstance(policy, Warm)
        assert play(here, pods, policy).allocated == 4000
        assert policy.faults() == []
