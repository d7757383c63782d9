"""FGD's fragments by hand on two nodes, and its choices."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from bench.fgd import Fgd, Fragments, Shape, typical
from bench.world import Pod, World

SHARE = Pod("share", cpu_milli=1000, memory_mib=0, gpus=1, milli=500)
WHOLE = Pod("whole", cpu_milli=2000, memory_mib=0, gpus=1, milli=1000)
CPU_ONLY = Pod("cpu", cpu_milli=1000, memory_mib=0)
MIX = [(Shape.of(SHARE), 3), (Shape.of(WHOLE), 1)]


def two_nodes() -> World:
    """Node 0 has 300 and 1000 thousandths free and CPUs enough; node 1 twice 600 and one CPU."""
    return World([4000, 1000], [0, 0], [[300, 1000], [600, 600]], ["T4", "P100"])


def fragments(world: World, mix: list[tuple[Shape, int]] = MIX) -> list[int]:
    nodes = np.arange(len(world.models))
    return [int(f) for f in Fragments(mix, world).of(nodes, world.free, world.cpu)]


def test_a_device_too_small_and_a_shape_that_cannot_come_are_fragments() -> None:
    # Node 0: 300 is too little for either shape: 4 x 300. Node 1: nothing to the share, all 1200 to the whole.
    assert fragments(two_nodes()) == [4 * 300, 3 * 0 + 1 * 1200]


def test_without_cpu_all_that_is_idle_is_a_fragment() -> None:
    world = two_nodes()
    world.cpu[1] = 999
    assert fragments(world)[1] == 4 * 1200


def test_a_shape_without_gpu_sees_only_fragments() -> None:
    assert fragments(two_nodes(), [(Shape.of(CPU_ONLY), 2)]) == [2 * 1300, 2 * 1200]


def test_a_shape_that_names_another_model_sees_only_fragments() -> None:
    only_t4 = Pod("t4", 1000, 0, gpus=1, milli=500, models=frozenset({"T4"}))
    assert fragments(two_nodes(), [(Shape.of(only_t4), 1)]) == [300, 1200]


def test_a_shape_of_two_devices_needs_both() -> None:
    both = Pod("both", 1000, 0, gpus=2, milli=600)
    assert fragments(two_nodes(), [(Shape.of(both), 1)]) == [1300, 0]


def test_the_share_goes_where_fragments_grow_least() -> None:
    # Node 0, device 1: F from 300 to (3 x 300 + 800) / 4 = 425. Node 1: no CPU is left, so F from 300 to 700.
    world = two_nodes()
    fgd = Fgd(MIX)
    assert fgd.choose(world, SHARE) == (0, (1,))
    scores, devices = fgd._score(world, Shape.of(SHARE), np.arange(2))
    assert scores.tolist() == [int(100 / (1 + exp(0.125))), int(100 / (1 + exp(0.4)))]
    assert devices.tolist() == [1, 0]


def test_equal_scores_go_to_the_lowest_rank() -> None:
    world = World([8000] * 3, [0] * 3, [[1000]] * 3, ["T4"] * 3, rank=[2, 0, 1])
    assert Fgd(MIX).choose(world, WHOLE) == (1, (0,))


def test_remembered_scores_are_those_of_a_fresh_look() -> None:
    world = World([9000] * 4, [0] * 4, [[1000, 1000]] * 4, ["T4"] * 4)
    warm = Fgd(MIX)
    for pod in [SHARE, WHOLE, SHARE, CPU_ONLY, SHARE, WHOLE, SHARE, SHARE]:
        choice = warm.choose(world, pod)
        assert choice == Fgd(MIX).choose(world, pod)
        assert choice is not None
        world.place(pod, *choice)


def test_a_node_that_got_room_back_is_scored_anew() -> None:
    world = World([4000], [0], [[1000]], ["T4"])
    fgd = Fgd(MIX)
    world.place(WHOLE, 0, [0])
    assert fgd.choose(world, SHARE) is None
    world.release(WHOLE, 0, [0])
    assert fgd.choose(world, SHARE) == (0, (0,))


def test_typical_shapes_cover_what_is_asked_and_no_more() -> None:
    pods = [SHARE] * 6 + [WHOLE] * 3 + [CPU_ONLY]
    assert typical(pods, 0.6) == [(Shape.of(SHARE), 6)]
    assert typical(pods, 0.61) == [(Shape.of(SHARE), 6), (Shape.of(WHOLE), 3)]
    assert len(typical(pods, 1.0)) == 3


@pytest.mark.parametrize("memory", [1, 4096])
def test_memory_is_no_part_of_a_shape(memory: int) -> None:
    assert Shape.of(Pod("p", 1000, memory, 1, 500)) == Shape.of(SHARE)
