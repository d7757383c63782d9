"""The search behind rule `reserve`: asked at once, and VM by VM."""

from __future__ import annotations

from placer_models.rules.failover import Failover
from placer_models.rules.reserve import Reserve
from placer_models.rules.restarts import restarts
from tests.asked import Asked
from tests.build import gpu, host, off, on, values, whole

AGAIN = {"restart": True}
HOSTS = [host(name, *[gpu()] * 2) for name in ("h1", "h2", "h3")]
WAITING = [off(f"vm{i}", whole(), may=AGAIN) for i in range(6)]


def asked(*vms: dict[str, object]) -> Asked:
    return Asked(values(HOSTS, list(vms), rules=[{"kind": "reserve"}]), "reserve")


def failover(one: Asked) -> Failover:
    assert isinstance(one.rule, Reserve)
    return Failover(one.cluster, one.rule._beside, lambda vm: vm.may.restart)


def test_a_watched_scene_is_full_where_the_judge_would_complain() -> None:
    one = asked(*WAITING)
    keeper = one.rule.keeper(one.scene)
    assert keeper is not None
    for vm in one.cluster.asked:
        for name in one.cluster.hosts:
            stand = one.stand(vm, name)
            if stand.holds and not keeper.against(stand):
                one.scene.put(stand)
                keeper.took()
                break
    assert len(list(one.scene.stands())) == 4
    assert one.breaches == {}


def test_the_hosts_are_named_whose_loss_a_vm_would_make_worse() -> None:
    one = asked(
        *(on(f"old{i}", f"h{1 + i // 2}", whole("Tesla M60", f"g{i % 2}"), may=AGAIN) for i in range(4)), WAITING[0]
    )
    assert one.why_not("vm0", "h3") == "no failover: if h1, h2 or h3 were lost, 1 VM would not start again"


def test_what_a_host_takes_is_asked_once() -> None:
    one = asked(*WAITING)
    search = failover(one)
    one.scene.put(one.stand("vm0", "h1"))
    site = search.site(one.scene, one.cluster.hosts["h2"])
    assert restarts(search, one.scene, "h1").on == {"h2": (0,)}
    known = dict(site.takes)
    assert restarts(search, one.scene, "h1").missed == ()
    assert site.takes == known


def test_vms_that_no_rule_tells_apart_are_of_one_kind() -> None:
    one = asked(*WAITING, off("other", whole(), cpus=8, may=AGAIN))
    search = failover(one)
    assert len({search.kind(vm["name"]) for vm in WAITING}) == 1
    assert search.kind("other") != search.kind("vm0")


def test_what_is_known_is_shared_with_a_cluster_that_differs_in_a_host_only() -> None:
    one = asked(*WAITING)
    search = failover(one)
    other = asked(*WAITING)
    assert search.of(one.cluster) is search
    assert search.of(other.cluster) is None
