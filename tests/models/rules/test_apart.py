"""Rule `apart`: VMs that are not to share a host, or a rack."""

from __future__ import annotations

from tests.asked import Asked
from tests.build import Json, host, off, on, values

HOSTS = [
    host("h1", labels={"rack": "r1"}),
    host("h2", labels={"rack": "r1"}),
    host("h3", labels={"rack": "r2"}),
    host("h4"),
]


def asked(*vms: Json, **rule: object) -> Asked:
    return Asked(values(HOSTS, list(vms), rules=[{"kind": "apart", "vms": ["dc1", "dc2"], **rule}]), "apart")


def test_dc1_on_r1_and_dc2_on_r2_are_apart_by_rack() -> None:
    assert asked(on("dc1", "h1"), on("dc2", "h3"), by="rack").breaches == {}


def test_both_on_r1_are_not() -> None:
    both = asked(on("dc1", "h1"), on("dc2", "h2"), by="rack")
    assert both.breaches == {"rack r1: dc1, dc2 are to be apart by rack": 1}


def test_a_host_without_the_label_is_a_rack_of_its_own() -> None:
    assert asked(on("dc1", "h4"), off("dc2"), by="rack").why_not("dc2", "h1", "h2", "h3") is None


def test_the_operator_reads_who_is_there() -> None:
    one = asked(on("dc1", "h1"), off("dc2"), off("other"))
    assert one.why_not("dc2", "h1") == "must be apart from dc1, which is here"
    assert one.why_not("dc2", "h2") is None
    assert one.why_not("other", "h1") is None
    assert asked(on("dc1", "h1"), off("dc2"), by="rack").why_not("dc2", "h2") == (
        "must be apart from dc1, which is on this rack"
    )
