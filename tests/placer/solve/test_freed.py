"""Where freed hosts have room for one more run of a job."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from placer.solve.errands import Errand, slots_of
from placer.solve.freed import FreedHosts
from placer.solve.parts import Stretch
from placer_models.cluster import Vm
from placer_models.plan import Breach
from placer_models.rules.reserve import Reserve
from placer_models.scene import Scene
from tests.nights import Night
from tests.worlds import host, vm


def test_where_a_reserve_holds_another_instance_runs_beside_the_first_at_the_same_time() -> None:
    """Room for one more is looked for as instance 0, which may run there already."""
    night = Night([host("h1", cpus=4), host("h2", cpus=2)], [vm("desk", on="h2", may={"restart": True})])
    cluster = night.cluster
    rules = [Reserve().among([])]
    freed = FreedHosts(cluster, rules, slots_of(cluster, {"h1": (0, 100)}, Scene.now(cluster)))
    wants = Vm(name="train", power="off", cpus=1, memory_mib=1)
    errand = Errand("train", wants, (0, 1), 200, 1, 0, 100, whole_host=False, least=10, again=5)
    (whole,) = freed.stretches(errand, 0)
    assert freed.put(errand, 0, [whole])
    assert freed.stretches(errand, 0) == [Stretch(0, 0, 100)]


def test_a_reserve_is_asked_once_about_the_same_runs_together() -> None:
    night = Night([host("h1", cpus=4), host("h2", cpus=2)], [vm("desk", on="h2", may={"restart": True})])
    cluster, asked = night.cluster, list[Scene]()

    class Asked(Reserve):
        def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
            asked.append(scene)
            return super().check(scene, hosts)

    freed = FreedHosts(cluster, [Asked().among([])], slots_of(cluster, {"h1": (0, 100)}, Scene.now(cluster)))
    errand = Errand(
        "train", Vm(name="train", power="off", cpus=1, memory_mib=1), (0, 1), 50, 1, 0, 100, whole_host=False
    )
    first = freed.fit(errand, 0, (0, 1))
    many = len(asked)
    freed.clear()
    assert freed.fit(errand, 0, (0, 1)) == first != []
    assert len(asked) == many > 0
