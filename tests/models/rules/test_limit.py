"""Rule `limit`: how many VMs on a host, or on how many hosts VMs."""

from __future__ import annotations

import pytest

from placer_models.document import Faults
from tests.asked import Asked
from tests.build import Json, host, off, on, values


def asked(*vms: Json, **rule: object) -> Asked:
    return Asked(values([host("h1"), host("h2"), host("h3")], list(vms), rules=[{"kind": "limit", **rule}]), "limit")


def test_two_on_a_host_are_as_many_as_it_may_have() -> None:
    two = asked(on("a", "h1"), on("b", "h1"), off("c"), most_vms=2)
    assert two.breaches == {}
    assert two.why_not("c", "h1") == "has 2 of these VMs, as many as it may"
    assert two.why_not("c", "h2") is None


def test_the_third_is_a_breach() -> None:
    three = asked(on("a", "h1"), on("b", "h1"), on("c", "h1"), most_vms=2)
    assert three.breaches == {"h1: has 3 of these VMs, at most 2 are allowed": 1}


def test_a_licence_for_two_hosts() -> None:
    two = asked(on("a", "h1"), on("b", "h2"), off("c"), most_hosts=2)
    assert two.why_not("c", "h2") is None
    assert two.why_not("c", "h3") == "these VMs may be on at most 2 hosts, and are already"
    said = "3 hosts have these VMs (h1, h2, h3), at most 2 may"
    assert asked(on("a", "h1"), on("b", "h2"), on("c", "h3"), most_hosts=2).breaches == {said: 1}


def test_only_the_named_vms_and_hosts_count() -> None:
    some = asked(on("a", "h1"), off("b"), vms=["a", "b"], hosts=["h1"], most_vms=1)
    assert some.why_not("b", "h1") is not None
    assert some.why_not("b", "h2") is None


def test_it_must_limit_something() -> None:
    with pytest.raises(Faults, match=r"rules\[0\].*'most_vms' or 'most_hosts'"):
        asked(off("a"))
