"""Rule `together`: VMs that are to share a host, or a rack."""

from __future__ import annotations

from tests.asked import Asked
from tests.build import Json, host, off, on, values

HOSTS = [
    host("esx01", labels={"rack": "r1"}),
    host("esx02", labels={"rack": "r1"}),
    host("esx03", labels={"rack": "r2"}),
]


def asked(*vms: Json, **rule: object) -> Asked:
    return Asked(values(HOSTS, list(vms), rules=[{"kind": "together", "vms": ["app", "cache"], **rule}]), "together")


def test_both_on_esx01_are_together() -> None:
    assert asked(on("app", "esx01"), on("cache", "esx01")).breaches == {}


def test_app_on_esx01_and_cache_on_esx02_are_not() -> None:
    (said,) = asked(on("app", "esx01"), on("cache", "esx02")).breaches
    assert said == "app, cache are to be together by host: app on esx01; cache on esx02"


def test_two_hosts_of_one_rack_are_together_by_rack() -> None:
    by_rack = asked(on("app", "esx01"), off("cache"), by="rack")
    assert by_rack.why_not("cache", "esx02") is None
    assert by_rack.why_not("cache", "esx03") is not None


def test_the_operator_reads_who_is_elsewhere() -> None:
    assert (
        asked(on("app", "esx01"), off("cache")).why_not("cache", "esx02")
        == "must be together with app, which is not here"
    )


def test_those_that_are_off_do_not_matter() -> None:
    assert asked(off("app"), off("cache")).why_not("cache", "esx02") is None
