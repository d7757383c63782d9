"""Why a VM stays off, and why one that runs stands where it does."""

from __future__ import annotations

import pytest

from placer import Session, explain
from placer.judge.obstacles import Explainer
from placer_models.decision import shipped_decision
from placer_models.document import Faults
from placer_models.plan import Placed, Placements, Unplaced
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, off, on, profile, snapshot, whole


def unplaced(cluster: Snapshot, *, proven: bool = True) -> dict[str, Unplaced]:
    """Why each VM that is asked for would stay off as things stand."""
    rules = shipped_decision("power_on").rules_of(cluster.rules)
    explainer = Explainer(Scene.now(cluster.content), rules)
    return {one.vm: one for one in explainer.unplaced(cluster.content.asked, proven=proven)}


def test_every_group_of_hosts_says_its_own_reason() -> None:
    m60 = gpu(mode="compute")
    ask = whole("Tesla M60.compute", count=2)
    hosts = [
        *(host(f"full{i}", m60, m60) for i in range(3)),
        host("half", m60, m60),
        host("idle", m60, m60, state="maintenance"),
        *(host(f"other{i}", m60, m60) for i in range(2)),
    ]
    held = [on(f"r{i}", f"full{i}", whole("Tesla M60.compute", "g0", "g1", count=2)) for i in range(3)]
    held.append(on("r3", "half", whole("Tesla M60.compute", "g0")))
    rules = [{"kind": "affinity", "vms": ["new"], "strength": "must-not", "hosts": ["other0", "other1"]}]
    said = unplaced(snapshot(hosts, [*held, off("new", ask)], rules=rules))["new"]
    assert said.reasons == (
        "3 hosts: no free Tesla M60.compute (6 of 6 held)",
        "half: 1 Tesla M60.compute free, 2 asked",
        "idle: in maintenance",
        "2 hosts: barred by its affinity",
    )
    assert said.nearest == "half: 1 x Tesla M60.compute short"
    assert said.change == "bring idle back from maintenance"


def test_a_host_alone_in_its_group_names_who_holds_its_own_gpu() -> None:
    hosts = [host("a", gpu()), host("b", gpu()), host("c", cpus=2)]
    vms = [on("x", "a", whole("Tesla M60", "g0")), on("y", "b", whole("Tesla M60", "g0")), off("new", whole())]
    rules = [{"kind": "affinity", "vms": ["new"], "hosts": ["b", "c"]}]
    said = unplaced(snapshot(hosts, vms, rules=rules))["new"]
    assert said.reasons[1] == "b: no free Tesla M60 (1 of 1 held): GPU g0 is held by y"


def test_hosts_that_are_alike_to_the_gpu_rule_keep_their_own_memory() -> None:
    hosts = [host("small", gpu(), memory_gib=4), host("large", gpu(), memory_gib=6)]
    said = unplaced(snapshot(hosts, [off("new", whole(), memory_gib=8)]))["new"]
    assert said.reasons == ("2 hosts: at most 6144 MiB of memory free, 8192 asked",)
    assert said.nearest == "large: 2048 MiB of memory short"


def test_the_nearest_host_lacks_the_smallest_part() -> None:
    hosts = [host("a", cpus=4), host("b", cpus=15), host("c", cpus=8, memory_gib=1)]
    said = unplaced(snapshot(hosts, [off("new", cpus=16)]))["new"]
    assert said.nearest == "b: 1 CPU short"


def test_vms_that_no_rule_tells_apart_share_their_reasons() -> None:
    hosts = [host("a", gpu("Tesla T4", "fraction"))]
    vms = [off(f"pod-{i}", {"models": ["V100"], "milli": 500}) for i in range(3)]
    said = unplaced(snapshot(hosts, vms))
    assert len({one.reasons for one in said.values()}) == 1


def test_a_rule_about_other_vms_names_them_host_by_host() -> None:
    hosts = [host("a"), host("b")]
    vms = [on("dc1", "a"), on("dc2", "b"), off("dc3")]
    rules = [{"kind": "apart", "vms": ["dc1", "dc2", "dc3"]}]
    said = unplaced(snapshot(hosts, vms, rules=rules))["dc3"]
    assert said.reasons == (
        "a: must be apart from dc1, which is here",
        "b: must be apart from dc2, which is here",
    )


@pytest.mark.parametrize(
    ("proven", "why"), [(True, "the goals are met best with it off"), (False, "the search ended before it was used")]
)
def test_room_that_was_not_used_is_admitted(proven: bool, why: str) -> None:
    said = unplaced(snapshot([host("a")], [off("new")]), proven=proven)["new"]
    assert said.reasons == (f"a: there is room; {why}",)
    assert said.nearest is None
    assert said.change is None


def test_a_cluster_without_hosts_says_so() -> None:
    assert unplaced(snapshot([], [off("new")]))["new"].reasons == ("there are no hosts",)


def test_room_that_hangs_on_the_managers_choice_is_none() -> None:
    hosts = [host("a", gpu("A100 PCIe 40GB", "mig"))]
    vms = [on("one", "a", profile("1g.5gb", "g0", 0)), off("mid", profile("3g.20gb")), off("big", profile("4g.20gb"))]
    cluster = snapshot(hosts, vms, platform={"kind": "kvm", "slots": "worst-case"})
    assert "no room for 4g.20gb" in unplaced(cluster)["big"].reasons[0]
    assert unplaced(cluster)["mid"].reasons[0].startswith("a: there is room")


# --- explain -----------------------------------------------------------------------------------------------------


def story() -> Snapshot:
    m60 = gpu(sharing="same-size")
    hosts = [
        host("esx01", m60, vgpu_manager="550"),
        host("esx02", m60, vgpu_manager="550"),
        host("esx03", m60, vgpu_manager="535"),
        host("esx04", state="maintenance"),
    ]
    vms = [
        on("desk", "esx01", profile("M60-2Q", "g0", 0), may={"live_migrate": True}),
        on("pinned", "esx02", profile("M60-2Q", "g0", 0)),
        off("late", profile("M60-4Q"), labels={"idle": "yes"}),
        off("cad", profile("M60-2Q")),
    ]
    return snapshot(hosts, vms)


def test_a_running_vm_is_told_why_here_and_why_not_there() -> None:
    found = explain(story(), "desk")
    assert (found.host, [one.gpu for one in found.gpus]) == ("esx01", ["g0"])
    assert found.could == ("esx02", "esx03")
    assert found.could_migrate == ("esx02",)
    assert [(group.hosts, group.reason) for group in found.elsewhere] == [(("esx04",), "in maintenance")]
    assert found.stays is None


def test_a_vm_that_may_not_move_is_told_so() -> None:
    found = explain(story(), "pinned")
    assert found.stays == "may not be live-migrated"
    assert found.could == ("esx01", "esx03")
    assert found.could_migrate == ()


def test_a_vm_that_nobody_asked_for_is_told_where_it_could_start() -> None:
    found = explain(story(), "late")
    assert not found.asked
    assert found.could == ("esx03",)
    assert {group.hosts: group.rule for group in found.elsewhere} == {
        ("esx01", "esx02"): "gpu",
        ("esx04",): "host-state",
    }


def test_what_a_vm_breaks_where_it_stands_is_said() -> None:
    found = explain(snapshot([host("a", state="maintenance"), host("b")], [on("vm", "a")]), "vm")
    assert found.breaks == ("a: is in maintenance and has vm",)
    assert found.could == ("b",)


def test_after_an_answer_the_cluster_is_another() -> None:
    cluster = snapshot([host("a", gpu()), host("b", gpu())], [off("x", whole()), off("y", whole())])
    answer = Placements(
        status="feasible", placed=(Placed.model_validate({"vm": "x", "host": "a", "gpus": ({"gpu": "g0"},)}),)
    )
    assert explain(cluster, "y").could == ("a", "b")
    assert explain(cluster, "y", answer=answer).could == ("b",)
    assert explain(cluster, "x", answer=answer).host == "a"


def test_an_unknown_vm_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Faults, match="did you mean 'desk'"):
        explain(story(), "desks")


def test_for_a_host_it_is_said_who_tells_of_hosts() -> None:
    asked = story()
    with pytest.raises(Faults, match=r"expected a VM of this snapshot.*it is a host: .*--plan"):
        explain(asked, next(iter(asked.content.hosts)))


def test_an_answer_that_the_judge_refuses_is_not_looked_at() -> None:
    answer = Placements(status="feasible", placed=(Placed(vm="cad", host="nowhere"),))
    with pytest.raises(Faults, match="nowhere"):
        explain(story(), "cad", answer=answer)


def test_reasons_follow_a_scene_that_changes() -> None:
    session = Session(snapshot([host(f"h{i}", gpu()) for i in range(3)], [off(f"vm{i}", whole()) for i in range(5)]))
    for step in ("vm0", "vm1", "vm2"):
        session.commit(session.propose(step))
        assert session.propose("vm4").unplaced == Session(session.snapshot()).propose("vm4").unplaced
    told = session.propose("vm4").unplaced[0].reasons
    session.release("vm1")
    session.commit(session.propose("vm3"))
    assert session.propose("vm4").unplaced == Session(session.snapshot()).propose("vm4").unplaced
    assert session.propose("vm4").unplaced[0].reasons == told
    session.apply({"kind": "host-state", "host": "h1", "state": "maintenance"})
    assert "h1: in maintenance" in session.propose("vm4").unplaced[0].reasons


def test_a_host_whose_gpus_only_stand_in_another_sharing_is_nearer_than_one_without() -> None:
    found = unplaced(snapshot([host("a"), host("b", gpu("A40"))], [off("new", profile("A40-8Q"))]))
    assert found["new"].nearest == "b: its A40 may not be put in same-size or mixed-size, where A40-8Q can be had"
