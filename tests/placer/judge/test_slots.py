"""Slots that the manager picks as it likes: who is sure of one, told by following its choices or by counting."""

from __future__ import annotations

import random

import pytest

from placer import capacity
from placer.judge import slots
from placer.judge.slots import Worlds
from placer_models.cluster import Ask
from placer_models.room import VmAsk
from placer_models.scene import Hold, Scene, Stand
from tests.build import gpu, host, off, on, profile, snapshot

ANY = {"kind": "vsphere", "version": "8.0.3", "slots": "worst-case"}
SIZES = ("A40-1Q", "A40-4Q", "A40-8Q", "A40-12Q")


@pytest.mark.parametrize(("model", "desk", "most"), [("A16", "A16-1Q", 16), ("A40", "A40-1Q", 30)])
def test_small_vgpus_fill_a_gpu_whatever_slots_the_manager_picks(model: str, desk: str, most: int) -> None:
    made = snapshot([host("h1", gpu(model, "mixed-size"))], [], platform=ANY)
    room = capacity(made, [VmAsk(cpus=1, memory_mib=1024, gpus=(Ask(profile=desk),))])
    assert (room.asks[0].more, room.asks[0].proven) == (most, True)


def coming(*profiles: str) -> tuple[Worlds, list[Stand]]:
    """A GPU with one A40-8Q, and VMs that may come to it."""
    running = on("there", "h1", profile("A40-8Q", "g0", 16))
    vms = [off(f"v{i}", profile(one)) for i, one in enumerate(profiles)]
    cluster = snapshot([host("h1", gpu("A40", "mixed-size"))], [running, *vms], platform=ANY).content
    stands = [Stand(f"v{i}", "h1", (Hold("g0", "mixed-size", one),)) for i, one in enumerate(profiles)]
    return Worlds(Scene.now(cluster)), stands


def test_who_comes_when_another_has_gone_is_sure_of_what_that_one_may_have_had() -> None:
    worlds, (a, b, c, d) = coming(*["A40-12Q"] * 4)
    assert [worlds.arrive(one) for one in (a, b, c)] == [[], [], []]
    assert worlds.arrive(d, only_if_sure=True) == ["g0"]
    worlds.leave(a)
    assert worlds.arrive(d) == []


@pytest.mark.parametrize("seed", range(20))
def test_counting_is_never_surer_than_following_every_choice(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    profiles = [chance.choice(SIZES) for _ in range(6)]
    worlds, stands = coming(*profiles)
    exact = [worlds.arrive(one, only_if_sure=True) == [] for one in stands]
    monkeypatch.setattr(slots, "MOST_WORLDS", 1)
    counted, stands = coming(*profiles)
    come = []
    for one, sure in zip(stands, exact, strict=True):
        if sure:  # the same VMs come, so that the same is asked
            come.append(counted.arrive(one) == [])
        else:
            assert counted.arrive(one, only_if_sure=True) == ["g0"]
    assert come[0]
