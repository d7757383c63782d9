"""Rule `affinity`: VMs and the hosts on which they must, should, should not or must not run."""

from __future__ import annotations

import pytest

from tests.asked import Asked
from tests.build import Json, host, off, on, values

HOSTS = [host("esx01", labels={"tier": "gold"}), host("esx02"), host("esx03")]


def asked(rule: Json, *vms: Json) -> Asked:
    return Asked(values(HOSTS, list(vms), rules=[{"kind": "affinity", **rule}]), "affinity")


def test_db_must_run_on_esx01() -> None:
    db = asked({"vms": ["db"], "hosts": ["esx01"]}, off("db"), off("web"))
    assert db.why_not("db", "esx01") is None
    assert db.why_not("db", "esx02", "esx03") == "not in its affinity"
    assert db.why_not("web", "esx02") is None


def test_db_on_esx02_is_a_breach() -> None:
    assert asked({"vms": ["db"], "hosts": ["esx01"]}, on("db", "esx02")).breaches == {"esx02: db must not run here": 1}


def test_must_not_by_labels() -> None:
    rule = {"vm_labels": {"os": "win"}, "host_labels": {"tier": "gold"}, "strength": "must-not"}
    win = asked(rule, off("win", labels={"os": "win"}), off("linux", labels={"os": "linux"}))
    assert win.why_not("win", "esx01") == "barred by its affinity"
    assert win.why_not("win", "esx02") is None
    assert win.why_not("linux", "esx01") is None


@pytest.mark.parametrize(
    ("strength", "soft"), [("must", False), ("must-not", False), ("should", True), ("should-not", True)]
)
def test_should_is_a_wish(strength: str, soft: bool) -> None:
    assert asked({"hosts": ["esx01"], "strength": strength}, off("db")).rule.soft is soft


def test_every_vm_on_a_wrong_host_counts() -> None:
    wrong = asked({"hosts": ["esx01"], "strength": "should"}, on("a", "esx02"), on("b", "esx02"), on("c", "esx01"))
    assert wrong.breaches == {"esx02: a should not run here": 1, "esx02: b should not run here": 1}
