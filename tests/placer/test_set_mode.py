"""GPUs put in another mode or sharing, as small stories: who leaves, who comes back, what is left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from placer.judge.timed import TimedReplay
from placer.set_mode import set_mode
from placer.undone import undone
from placer_models.document import Faults, dump
from placer_models.night import SetMode
from placer_models.plan import Plan, Step
from tests.good_nights import m60, quick
from tests.nights import Night, Values, window
from tests.worlds import gpu, host, want

COMPUTE: Values = {"models": ["Tesla M60"], "mode": "compute"}


def switched(hosts: Sequence[Values], vms: Sequence[Values], **more: Any) -> Plan:
    """A plan that changes GPUs of h1; it is judged once more, and planned twice."""
    given = {key: more.pop(key) for key in ("rules", "platform") if key in more}
    night = Night(hosts, vms, {"kind": "set-mode", "host": "h1", "minutes": 1, **more}, **given)
    assert isinstance(night.asked, SetMode)
    plan = set_mode(night.snapshot, night.asked)
    assert dump(set_mode(night.snapshot, night.asked)) == dump(plan)
    assert TimedReplay(night.cluster, night.holding, night.asked, (), plan).faults == []
    return plan


def steps(plan: Plan, *kinds: str) -> list[Step]:
    """The steps of these kinds."""
    return [step for step in plan.steps if step.kind in kinds]


def reasons(plan: Plan) -> str:
    """Why GPUs are left out."""
    return " / ".join(reason for one in plan.left_out for reason in one.reasons)


def test_an_empty_gpu_is_put_in_another_sharing_and_nothing_else_is_done() -> None:
    plan = switched([host("h1", m60())], [quick("w", on="h1", may="")], sharing="passthrough")
    (only,) = plan.steps
    assert (only.kind, only.sharing, only.mode) == ("set-mode", "passthrough", None)
    assert plan.score["modes-set"] == plan.bound["modes-set"] == 1
    assert undone(plan) == []


def test_for_another_sharing_only_the_holder_leaves_and_stays_away() -> None:
    hosts = [host("h1", m60()), host("h2", m60())]
    plan = switched(hosts, [quick("a", want("M60-1Q", "g0/0"), on="h1"), quick("w", on="h1")], sharing="passthrough")
    assert [(step.kind, step.vm) for step in plan.steps] == [("migrate", "a"), ("set-mode", None)]
    assert plan.score["downtime"] == 0


def test_a_vm_that_can_go_nowhere_sleeps_and_wakes_up_on_the_changed_gpu() -> None:
    hosts = [host("h1", gpu("A40", "same-size", "mixed-size"))]
    vms = [quick("a", want("A40-24Q", "g0/0"), on="h1", may="suspend")]
    plan = switched(hosts, vms, sharing="mixed-size")
    assert [step.kind for step in plan.steps] == ["suspend", "set-mode", "resume"]
    assert plan.steps[-1].gpus[0].sharing is None, "it takes the sharing in which the GPU then stands"
    assert plan.score["downtime"] == plan.bound["downtime"] == 8 + 60 + 8


def test_who_has_no_place_afterwards_goes_elsewhere_though_it_would_be_down_longer_than_by_waiting() -> None:
    """A desk cannot hold part of a GPU that is then passed through."""
    vms = [quick("a", want("M60-1Q", "g0/0"), on="h1", may="power_cycle")]
    plan = switched([host("h1", m60()), host("h2", m60())], vms, sharing="passthrough")
    assert [(step.kind, step.host) for step in steps(plan, "power-off", "power-on")] == [
        ("power-off", "h1"),
        ("power-on", "h2"),
    ]


def test_nobody_is_stopped_who_could_not_run_again() -> None:
    vms = [quick("a", want("M60-1Q", "g0/0"), on="h1", may="power_cycle suspend")]
    plan = switched([host("h1", m60()), host("h2")], vms, sharing="passthrough")
    assert plan.steps == ()
    assert plan.score["modes-set"] == plan.bound["modes-set"] == 0
    assert "a: " in reasons(plan)
    assert "no place for it on h1 afterwards" in reasons(plan)
    assert [one.vm for one in plan.unmoved] == ["a"]
    assert len(undone(plan)) == 1


def test_who_waits_takes_turns_where_not_all_have_a_place_afterwards() -> None:
    """Five vGPUs of 8 GB stand on an A40 in same-size, four find a place in mixed-size: one goes to the other host."""
    hosts = [host("h1", gpu("A40", "same-size", "mixed-size")), host("h2", gpu("A40", "same-size"))]
    vms = [quick(f"v{i}", want("A40-8Q", f"g0/{i}"), on="h1", may="power_cycle") for i in range(5)]
    vms.append(quick("x", want("A40-8Q", "g0/0"), on="h2", may=""))
    full = [quick(f"y{i}", want("A40-8Q", f"g0/{i}"), on="h2", may="") for i in range(1, 5)]
    plan = switched(hosts, [*vms, *full], sharing="mixed-size")
    assert plan.score["modes-set"] == 1
    assert sorted(str(step.host) for step in steps(plan, "power-on")) == ["h1"] * 4 + ["h2"]


def test_with_the_way_back_to_the_same_host_all_return() -> None:
    hosts = [host("h1", gpu("A40", "same-size", "mixed-size")), host("h2", gpu("A40", "same-size"))]
    vms = [quick("a", want("A40-24Q", "g0/0"), on="h1")]
    plan = switched(hosts, vms, sharing="mixed-size", way_back="same-host")
    assert [(step.from_, step.to) for step in steps(plan, "migrate")] == [("h1", "h2"), ("h2", "h1")]
    kept = switched([host("h1", m60()), host("h2", m60())], [quick("a", want("M60-1Q", "g0/0"), on="h1")],
                    sharing="passthrough", way_back="same-host")  # fmt: skip
    assert kept.steps == ()
    assert "no place for it on h1 afterwards" in reasons(kept)


def test_a_flash_empties_the_host_and_a_pass_through_vm_is_off_meanwhile() -> None:
    hosts = [host("h1", m60(), m60("passthrough")), host("h2", gpu("Tesla M60", "same-size"))]
    vms = [
        quick("a", want("M60-1Q", "g0/0"), on="h1"),
        quick("p", want(at="g1"), on="h1", may="power_cycle"),
        quick("w", on="h1"),
    ]
    plan = switched(hosts, vms, mode="compute", gpus=["g0"])
    kinds = [step.kind for step in plan.steps if step.vm is None]
    assert kinds == ["enter-maintenance", "set-mode", "restart-host", "leave-maintenance"]
    (on,), (leave,) = steps(plan, "power-on"), steps(plan, "leave-maintenance")
    assert (on.host, on.start) == ("h1", leave.end)
    assert plan.score["downtime"] == plan.bound["downtime"] == 6 + 120 + 7
    assert {step.to for step in steps(plan, "migrate")} == {"h2"}


def test_a_flash_back_lets_the_graphics_vm_of_another_host_alone() -> None:
    hosts = [host("h1", {**gpu("Tesla M60"), "mode": "compute"}), host("h2", m60("passthrough"))]
    vms = [quick("c", want(at="g0", **COMPUTE), on="h1", may="power_cycle"), quick("g", want(at="g0"), on="h2")]
    kept = switched(hosts, vms, mode="graphics")
    assert kept.steps == (), "the compute VM would find no GPU"
    both = switched([*hosts, host("h3", {**gpu("Tesla M60"), "mode": "compute"})], vms, mode="graphics")
    assert [(step.host) for step in steps(both, "power-on")] == ["h3"]


def test_gpus_that_need_no_flash_are_changed_where_the_flash_cannot_be() -> None:
    hosts = [
        host("h1", m60("passthrough"), {**gpu("Tesla M60", "passthrough", "same-size"), "mode": "compute"}),
    ]
    plan = switched(hosts, [quick("w", on="h1", may="")], mode="compute", sharing="same-size")
    assert [(step.kind, [one.gpu for one in step.gpus]) for step in plan.steps] == [("set-mode", ["g1"])]
    assert plan.score["modes-set"] == plan.bound["modes-set"] == 1
    assert reasons(plan).startswith("GPU g0: w: ")


def test_gpus_that_are_so_already_are_said_and_left_alone() -> None:
    plan = switched([host("h1", m60("passthrough"), m60())], [], sharing="passthrough")
    assert plan.already == ("GPU g0 of h1: sharing passthrough",)
    (only,) = plan.steps
    assert [one.gpu for one in only.gpus] == ["g1"]
    assert plan.score["modes-set"] == plan.bound["modes-set"] == 2


@pytest.mark.parametrize(
    ("one", "asked", "why"),
    [
        (gpu("T4"), {"mode": "compute"}, "GPU g0: a T4 has no mode compute"),
        (
            gpu("T4"),
            {"sharing": "same-size"},
            "GPU g0: may not be put in sharing same-size: its 'may_share' does not say so",
        ),
        (gpu("T4"), {"sharing": "mig"}, "GPU g0: no T4 can stand in sharing mig"),
    ],
)
def test_a_gpu_that_cannot_be_so_is_left_out_with_the_reason(one: Values, asked: Values, why: str) -> None:
    plan = switched([host("h1", one)], [], **asked)
    assert reasons(plan) == why
    assert plan.status == "optimal"


def test_a_host_in_maintenance_is_flashed_where_it_is_and_takes_nobody_back() -> None:
    plan = switched([host("h1", m60("passthrough"), state="maintenance")], [], mode="compute")
    assert [step.kind for step in plan.steps] == ["set-mode", "restart-host"]
    vms = [quick("w", on="h1", may="power_cycle")]
    moved = switched([host("h1", m60("passthrough"), state="maintenance"), host("h2")], vms, mode="compute")
    assert [step.host for step in steps(moved, "power-on")] == ["h2"]
    down = switched([host("h1", m60("passthrough"), state="disconnected")], [], mode="compute")
    assert reasons(down) == "GPU g0: its host is disconnected"


def test_what_does_not_fit_into_one_night_is_done_in_the_next() -> None:
    nights = [window(0, 100), window(5000, 5200)]
    plan = switched([host("h1", m60("passthrough"))], [], mode="compute", windows=nights)
    assert plan.score["modes-set"] == 1
    late = switched([host("h1", m60("passthrough"))], [], mode="compute", windows=nights[:1])
    assert reasons(late) == "GPU g0: does not fit into what is left of the windows"


def test_first_legal_slots_are_taken_by_the_biggest_first() -> None:
    hosts = [host("h1", gpu("A40", "same-size", "mixed-size"), gpu("A40", "mixed-size"))]
    vms = [
        quick("a", want("A40-16Q", "g0/0"), on="h1", may="power_cycle"),
        quick("b", want("A40-16Q", "g0/1"), on="h1", may="power_cycle"),
    ]
    plan = switched(hosts, vms, sharing="mixed-size", platform={"kind": "vsphere", "version": "8.0.3"})
    assert plan.score["modes-set"] == 2
    assert len(steps(plan, "power-on")) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"sharing": "mig", "gpus": ["g7"]}, "request.gpus\\[0\\]: found 'g7', expected a GPU of h1"),
        ({}, "request: missing 'mode' or 'sharing'"),
    ],
)
def test_what_the_host_does_not_have_is_one_clear_sentence(asked: Values, said: str) -> None:
    night = Night([host("h1", m60())], [], {"kind": "set-mode", "host": "h1", **asked})
    assert isinstance(night.asked, SetMode)
    with pytest.raises(Faults, match=said):
        set_mode(night.snapshot, night.asked)


def test_a_gpu_that_is_so_already_is_not_put_in_another_sharing_by_who_comes_back() -> None:
    both = [gpu("A100 PCIe 80GB", "mig", "passthrough"), gpu("A100 PCIe 80GB", "passthrough", "mig")]
    vms = [quick("a", want("1g.10gb", "g0/0"), on="h1", may="power_cycle")]
    plan = switched([host("h1", *both)], vms, sharing="passthrough")
    assert plan.steps == ()
    assert plan.score["modes-set"] == 1
    assert "a: " in reasons(plan)


def test_who_finds_a_place_on_another_gpu_of_its_host_does_not_wait_for_the_change() -> None:
    hosts = [host("h1", gpu("A40", "passthrough", "same-size"), gpu("A40"))]
    vms = [quick("p", want(at="g0"), on="h1", may="power_cycle")]
    for way_back in ("any-host", "same-host"):
        plan = switched(hosts, vms, sharing="same-size", gpus=["g0"], way_back=way_back)
        assert plan.score["modes-set"] == 1
        assert plan.score["downtime"] == plan.bound["downtime"] == 6 + 7
        (on,) = steps(plan, "power-on")
        assert (on.host, [one.gpu for one in on.gpus]) == ("h1", ["g1"])
