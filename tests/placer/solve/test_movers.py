"""Who leaves and who arrives are brought together, nobody at the host that he left."""

from __future__ import annotations

from placer.solve.movers import matched


def test_two_hosts_exchange_their_vms() -> None:
    found, rest = matched({"h1": ["a"], "h2": ["b"]}, {"h1": 1, "h2": 1})
    assert (found, rest) == ({"h1": ["b"], "h2": ["a"]}, [])


def test_where_all_arrive_at_one_host_its_own_leaver_is_the_one_left_over() -> None:
    found, rest = matched({"h1": ["a"], "h2": ["b", "c"]}, {"h1": 2})
    assert (sorted(found["h1"]), rest) == (["b", "c"], ["a"])
