"""Every VM that keeps a host from being freed is named with its reason, and every host that is not freed with its
own.
"""

from __future__ import annotations

import pytest

from placer_models.plan import Plan
from tests.placer.test_consolidate import NOT_ESX03, desk, host, night, same_size_swap


def why(plan: Plan) -> dict[str, str]:
    """What is said of VMs and of hosts."""
    vms = {one.vm: "; ".join(one.reasons) for one in plan.unmoved}
    return vms | {one.host: "; ".join(one.reasons) for one in plan.left_out}


def test_of_a_named_host_that_is_kept_by_one_vm_the_others_are_said_to_be_able_to_go() -> None:
    vms = [desk("pinned", "esx01", live_migrate=False), desk("desk", "esx01", slot=1)]
    _, plan = night([host("esx01"), host("esx02")], vms, [], free=["esx01"])
    assert why(plan) == {
        "pinned": "may not be live-migrated, nor suspended or stopped",
        "desk": "could go, but esx01 is kept by pinned",
        "esx01": "is kept by pinned",
    }
    assert {one.host for one in plan.unmoved} == {"esx01"}


def test_where_as_many_hosts_as_pay_are_asked_for_who_could_go_keeps_nothing() -> None:
    vms = [desk("pinned", "esx01", live_migrate=False), desk("desk", "esx01", slot=1)]
    _, plan = night([host("esx01"), host("esx02")], vms, [])
    assert [one.vm for one in plan.unmoved] == ["pinned"]


def test_a_vm_without_room_anywhere_names_what_each_host_lacks() -> None:
    vms = [desk("big", "esx01") | {"cpus": 20}, desk("full", "esx02", slot=1) | {"cpus": 20}]
    _, plan = night([host("esx01"), host("esx02"), host("esx03", cpus=8)], vms, [], free=["esx01"])
    assert why(plan)["big"] == "2 hosts: at most 12 CPUs free, 20 asked"


@pytest.mark.parametrize("free", [["esx01"], 3])
def test_after_a_swap_that_nobody_can_begin_every_vm_of_the_host_has_its_reason(free: object) -> None:
    hosts, vms = same_size_swap(4096, live_migrate=True)
    _, plan = night(hosts, vms, [], NOT_ESX03, free=free)
    assert plan.steps == ()
    wanted = {"esx01"} if free == ["esx01"] else {"esx01", "esx02", "esx03"}
    assert {(one.vm, one.host) for one in plan.unmoved} == {
        (vm["name"], vm["host"]) for vm in vms if vm["host"] in wanted
    }
    assert all(one.reasons for one in plan.unmoved)
    assert {one.host for one in plan.left_out} == wanted


def test_a_host_beyond_the_number_that_is_asked_for_needs_no_reason() -> None:
    _, plan = night([host("esx01"), host("esx02"), host("esx03")], [desk("a", "esx01"), desk("b", "esx02")], [], free=1)
    assert plan.left_out == plan.unmoved == ()


def test_a_host_in_maintenance_is_left_out_for_that() -> None:
    _, plan = night([host("esx01", state="maintenance"), host("esx02")], [desk("a", "esx02")], [], free=["esx01"])
    assert why(plan)["esx01"] == "is in maintenance already"
