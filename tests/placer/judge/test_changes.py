"""The smallest change that would let a VM in: offered only where it works."""

from __future__ import annotations

from placer.judge.obstacles import Explainer
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, off, on, profile, snapshot, whole

MOVES = {"live_migrate": True}


def change(cluster: Snapshot, vm: str = "new") -> str | None:
    """What would let a VM in as things stand."""
    explainer = Explainer(Scene.now(cluster.content), shipped_decision("power_on").rules_of(cluster.rules))
    (found,) = explainer.unplaced([vm])
    return found.change


def test_an_empty_gpu_in_the_other_mode_is_named() -> None:
    hosts = [host("a", gpu()), host("b", gpu(mode="compute"))]
    vms = [on("x", "b", whole("Tesla M60.compute", "g0")), off("new", whole("Tesla M60.compute"))]
    assert change(snapshot(hosts, vms)) == "put GPU g0 of a in mode compute"


def test_an_empty_gpu_in_another_sharing_is_named_and_a_held_one_is_not() -> None:
    hosts = [host("a", gpu(sharing="same-size")), host("b", gpu())]
    vms = [on("x", "a", profile("M60-2Q", "g0", 0)), off("new", profile("M60-8Q"))]
    assert change(snapshot(hosts, vms)) == "put GPU g0 of b in sharing same-size"


def test_as_many_gpus_as_are_asked_for_are_put_in_the_mode() -> None:
    hosts = [host("a", gpu(), gpu(), gpu())]
    asked = off("new", whole("Tesla M60.compute", count=2))
    assert change(snapshot(hosts, [asked])) == "put GPUs g0, g1 of a in mode compute"


def test_mode_and_sharing_may_both_have_to_change() -> None:
    hosts = [host("a", gpu(sharing="same-size"))]
    asked = off("new", whole("Tesla M60.compute"))
    assert change(snapshot(hosts, [asked])) == "put GPU g0 of a in mode compute and sharing passthrough"


def test_a_gpu_is_not_reset_where_cpus_lack_anyway() -> None:
    asked = off("new", whole("Tesla M60.compute"), cpus=100)
    assert change(snapshot([host("a", gpu())], [asked])) is None


def test_a_host_in_maintenance_is_brought_back_before_anything_moves() -> None:
    hosts = [host("a", cpus=8), host("b", cpus=8), host("c", state="maintenance")]
    vms = [on("x", "a", cpus=4, may=MOVES), on("y", "b", cpus=4), off("new", cpus=8)]
    assert change(snapshot(hosts, vms)) == "bring c back from maintenance"


def test_one_move_that_makes_room_is_named_with_its_target() -> None:
    hosts = [host("a", cpus=8), host("b", cpus=8)]
    vms = [on("x", "a", cpus=4, may=MOVES), on("y", "b", cpus=4), off("new", cpus=8)]
    assert change(snapshot(hosts, vms)) == "move x from a to b"


def test_a_vm_is_not_moved_where_it_would_break_its_own_rules() -> None:
    hosts = [host("a", cpus=8), host("b", cpus=8)]
    vms = [on("x", "a", cpus=4, may=MOVES), on("y", "b", cpus=4), off("new", cpus=8)]
    rules = [{"kind": "apart", "vms": ["x", "y"]}]
    assert change(snapshot(hosts, vms, rules=rules)) == "stop x on a"


def test_a_vm_that_is_to_stay_is_neither_moved_nor_stopped() -> None:
    hosts = [host("a", cpus=8)]
    vms = [on("x", "a", cpus=4, may=MOVES), off("new", cpus=8)]
    assert change(snapshot(hosts, vms, rules=[{"kind": "stay", "vms": ["x"]}])) is None


def test_one_that_may_be_stopped_is_named_before_the_others() -> None:
    hosts = [host("a", cpus=8)]
    vms = [on("x", "a", cpus=4), on("y", "a", cpus=4, may={"power_cycle": True}), off("new", cpus=4)]
    assert change(snapshot(hosts, vms)) == "stop y on a"


def test_where_one_change_is_not_enough_none_is_named() -> None:
    hosts = [host("a", cpus=8)]
    vms = [on("x", "a", cpus=4), on("y", "a", cpus=4), off("new", cpus=8)]
    assert change(snapshot(hosts, vms)) is None


def test_looking_for_changes_leaves_the_scene_as_it_was() -> None:
    hosts = [host("a", gpu(), cpus=8), host("b", gpu(sharing="same-size"), cpus=8)]
    cluster = snapshot(hosts, [on("x", "a", cpus=8, may=MOVES), off("new", whole("Tesla M60.compute"), cpus=9)])
    scene = Scene.now(cluster.content)
    before = list(scene.stands()), scene.cluster
    list(Explainer(scene, shipped_decision("power_on").rules_of(cluster.rules)).unplaced(["new"]))
    assert (list(scene.stands()), scene.cluster) == before


def test_whom_a_lost_host_leaves_off_already_is_not_named_where_the_new_one_would_be_left_off_instead() -> None:
    hosts = [host("a", gpu()), host("b")]
    vms = [on("x", "a", whole("Tesla M60", "g0"), may={"restart": True}), off("new", whole(), may={"restart": True})]
    cluster = snapshot(hosts, vms, rules=[{"kind": "reserve"}])
    assert change(cluster) is None
    spared = snapshot(hosts, [vms[0], off("new", whole())], rules=[{"kind": "reserve"}])
    assert change(spared) == "stop x on a"
