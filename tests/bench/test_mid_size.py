"""The four mid-size clusters are snapshots that placer takes, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.mid_size import MID_SIZE
from placer_models.cluster import Ask
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cluster"


def mid_size(name: str, seed: int = 1) -> Snapshot:
    return Snapshot.of(MID_SIZE[name](seed), name)


def running(snapshot: Snapshot) -> list[Ask]:
    return [ask for vm in snapshot.vms if vm.power == "on" for ask in vm.gpus]


@pytest.mark.parametrize("name", MID_SIZE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mid_size_cluster_is_a_snapshot_with_vms_that_run_and_vms_that_wait(name: str, seed: int) -> None:
    snapshot = mid_size(name, seed)
    assert len(running(snapshot)) > 30
    assert len(snapshot.requests) > 5


@pytest.mark.parametrize("name", MID_SIZE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_rule_is_broken_by_what_runs(name: str, seed: int) -> None:
    snapshot = mid_size(name, seed)
    scene = Scene.now(snapshot.content)
    rules = shipped_decision("power_on").rules_of(snapshot.rules)
    assert [breach.said for rule in rules if not rule.soft for breach in rule.check(scene)] == []


@pytest.mark.parametrize("name", MID_SIZE)
def test_the_same_seed_gives_the_same_cluster_and_another_seed_another(name: str) -> None:
    assert MID_SIZE[name](7) == MID_SIZE[name](7)
    assert MID_SIZE[name](7) != MID_SIZE[name](8)


@pytest.mark.parametrize("name", MID_SIZE)
def test_the_shipped_fixture_is_what_the_generator_writes(name: str) -> None:
    shipped = (FIXTURES / name / "snapshot.json").read_bytes()
    assert dump(Snapshot.load(shipped)) == dump(mid_size(name))
    assert len(shipped) < 300_000


def test_ahv_m60_asks_for_compute_mode_and_has_a_host_in_maintenance() -> None:
    snapshot = mid_size("ahv-m60")
    modes = Counter(gpu.mode for host in snapshot.hosts for gpu in host.gpus if gpu.model == "Tesla M60")
    assert modes == {"graphics": 18, "compute": 14}
    assert [host.name for host in snapshot.hosts if host.state == "maintenance"] == ["ahv07"]
    assert all(vm.host != "ahv07" for vm in snapshot.vms)
    assert {"graphics", "compute"} <= {ask.mode for ask in running(snapshot)}


def test_vsphere_vdi_has_hundreds_of_desktops_on_same_size_gpus() -> None:
    snapshot = mid_size("vsphere-vdi")
    profiles = Counter(ask.profile for ask in running(snapshot))
    assert sum(profiles.values()) > 200
    assert {"M60-1Q", "M60-2Q", "T4-1Q", "T4-2Q"} <= set(profiles)


def test_h100_mig_instances_stand_at_more_than_the_first_start() -> None:
    slots = Counter((ask.profile, ask.at[0].slot) for ask in running(mid_size("h100-mig")))
    assert {slot for profile, slot in slots if profile == "1g.10gb"} == set(range(7))
    assert {slot for profile, slot in slots if profile == "3g.40gb"} == {0, 4}


def test_l40s_mixed_holds_several_sizes_on_one_gpu() -> None:
    snapshot = mid_size("l40s-mixed")
    held: dict[tuple[str | None, str], set[str | None]] = {}
    for vm in snapshot.vms:
        for ask in vm.gpus if vm.power == "on" else ():
            held.setdefault((vm.host, ask.at[0].gpu), set()).add(ask.profile)
    assert max(len(profiles) for profiles in held.values()) > 1
