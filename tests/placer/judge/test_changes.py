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


def test_two_are_stopped_where_one_is_not_enough() -> None:
    hosts = [host("a", cpus=8)]
    vms = [on("x", "a", cpus=4), on("y", "a", cpus=4), off("new", cpus=8)]
    assert change(snapshot(hosts, vms)) == "stop x and y on a"


def test_of_three_that_must_go_none_could_stay_and_the_fourth_does() -> None:
    hosts = [host("a", cpus=10)]
    vms = [*(on(name, "a", cpus=3) for name in "xyz"), on("small", "a", cpus=1), off("new", cpus=9)]
    assert change(snapshot(hosts, vms)) == "stop x, y and z on a"


def test_nobody_is_told_to_stop_a_whole_host_of_vms() -> None:
    hosts = [host("a", cpus=12)]
    vms = [*(on(f"desk-{i}", "a", cpus=2) for i in range(6)), off("new", cpus=12)]
    assert change(snapshot(hosts, vms)) is None


def test_who_stands_on_another_host_of_the_rack_is_moved_out_of_the_way_or_stopped() -> None:
    racks = ["r1", "r1", "r2"]
    hosts = [host(name, cpus=8, labels={"rack": rack}) for name, rack in zip("abc", racks, strict=True)]
    rules = [{"kind": "apart", "vms": ["x", "new"], "by": "rack"}, {"kind": "affinity", "vms": ["new"], "hosts": ["a"]}]
    vms = [on("x", "b", may=MOVES), off("new")]
    assert change(snapshot(hosts, vms, rules=rules)) == "move x from b to c (there is room on a then)"
    vms = [on("x", "b"), off("new")]
    assert change(snapshot(hosts, vms, rules=rules)) == "stop x on b (there is room on a then)"


def test_who_must_be_together_with_it_is_moved_to_where_there_is_a_gpu() -> None:
    hosts = [host("a", cpus=8), host("b", gpu(), cpus=8)]
    vms = [on("x", "a", may=MOVES), off("new", whole())]
    rules = [{"kind": "together", "vms": ["x", "new"]}]
    assert change(snapshot(hosts, vms, rules=rules)) == "move x from a to b (there is room on b then)"


def test_a_compute_m60_is_put_in_graphics_mode_and_shared_for_a_vgpu_and_one_beside_it_is_only_shared() -> None:
    hosts = [host("a", gpu(mode="compute"), gpu())]
    assert change(snapshot(hosts, [off("new", profile("M60-8Q"))])) == "put GPU g1 of a in sharing same-size"
    both = snapshot(hosts, [off("new", profile("M60-8Q", count=2))])
    assert change(both) == "put GPUs g0, g1 of a in mode graphics and sharing same-size"


def test_gpus_that_stand_in_different_sharings_are_put_in_one() -> None:
    hosts = [host("a", gpu("A100", "mig"), gpu("A100", "same-size"))]
    asked = off("new", whole("A100", count=2))
    assert change(snapshot(hosts, [asked])) == "put GPUs g0, g1 of a in sharing passthrough"


def test_a_mig_layout_that_lacks_the_instance_is_cut_anew() -> None:
    kept = [{"profile": "3g.20gb", "slot": 0}, {"profile": "3g.20gb", "slot": 4}]
    hosts = [host("a", gpu("A100", "mig", mig_layout=kept))]
    assert change(snapshot(hosts, [off("new", profile("7g.40gb"))])) == "put GPU g0 of a in another MIG layout"


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
