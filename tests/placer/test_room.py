"""How many more of an ask fit: exactly, whoever runs staying."""

from __future__ import annotations

import pytest

from placer import capacity
from placer.room import ask_like, ask_of
from placer_models.document import Faults
from placer_models.room import MoreOf, VmAsk
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, off, on, profile, snapshot, whole


def count(cluster: Snapshot, **ask: object) -> MoreOf:
    (one,) = capacity(cluster, [VmAsk.model_validate(ask)]).asks
    return one


def test_every_host_gives_what_it_has() -> None:
    cluster = snapshot([host("a", cpus=10), host("b", cpus=7)], [on("x", "a", cpus=3)])
    found = count(cluster, cpus=2)
    assert (found.more, found.bound, found.proven) == (6, 6, True)
    assert found.hosts == {"a": 3, "b": 3}
    assert found.full == ("2 hosts: at most 1 CPUs free, 2 asked",)


def test_more_than_the_first_guess_is_found_too() -> None:
    assert count(snapshot([host("a", cpus=100)], []), cpus=1).more == 100


def test_slots_that_lie_badly_give_fewer_than_the_free_memory_says() -> None:
    held = [on("x", "a", profile("A40-8Q", "g0", 16)), on("y", "a", profile("A40-8Q", "g0", 24))]
    cluster = snapshot([host("a", gpu("A40", "mixed-size"))], held)
    assert count(cluster, gpus=({"profile": "A40-24Q"},)).more == 0


def test_one_sharing_for_each_gpu_is_chosen() -> None:
    both = gpu(may_share=["passthrough", "same-size"])
    cluster = snapshot([host("a", both, both)], [on("x", "a", whole("Tesla M60", "g1"))])
    assert count(cluster, gpus=({"profile": "M60-4Q"},)).more == 2


def test_requests_stay_off_and_rules_hold() -> None:
    rules = [{"kind": "limit", "most_vms": 2}]
    cluster = snapshot([host("a"), host("b")], [on("x", "a"), off("waiting")], rules=rules)
    assert count(cluster, cpus=1).more == 3


def test_labels_make_a_copy_obey_the_rules_of_its_kind() -> None:
    rules = [{"kind": "apart", "vm_labels": {"app": "dc"}}]
    cluster = snapshot([host("a"), host("b")], [on("dc1", "a", labels={"app": "dc"})], rules=rules)
    assert capacity(cluster, [ask_like(cluster, "dc1")]).asks[0].more == 1


def test_what_can_never_fit_is_none_and_says_why() -> None:
    found = count(snapshot([host("a", gpu())], []), gpus=({"profile": "A40-8Q"},))
    assert (found.more, found.proven) == (0, True)
    assert found.full == ("a: no GPU for A40-8Q (it has Tesla M60)",)


def test_names_of_copies_give_way_to_names_that_are_there() -> None:
    assert count(snapshot([host("a", cpus=8)], [on("copy-1", "a")]), cpus=4).more == 1


def test_an_ask_is_read_strictly() -> None:
    assert ask_of('{"cpus": 2}') == ('{"cpus": 2}', VmAsk(cpus=2))
    with pytest.raises(Faults, match="cpu: unknown key"):
        ask_of('{"cpu": 2}')
    cluster = snapshot([], [])
    with pytest.raises(Faults, match=r"gpus\[0\].profile: found 'A40-9Q'"):
        count(cluster, gpus=({"profile": "A40-9Q"},))
