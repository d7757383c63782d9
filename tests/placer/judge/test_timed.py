"""What the judge says of a night's plan: nothing of a good one, and one sentence for each fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from placer.judge.timed import TimedReplay
from placer.judge.timeline import EVER, NEVER
from tests.good_nights import m60, quick
from tests.nights import EVENING, Night, Values, freed, plan, run, step, window
from tests.worlds import gpu, host, vm, want


def at(seconds: int) -> str:
    """As sentences write it."""
    return (EVENING + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pair(*vms: Values, hosts: Sequence[Values] = (), request: Values | None = None, **more: Any) -> Night:
    """Two hosts with VM a on h1, or what is said; way back none."""
    return Night(
        hosts or [host("h1"), host("h2")],
        vms or [quick("a", on="h1")],
        {"way_back": "none", "windows": [window(0, 100)], **(request or {})},
        **more,
    )


def go(id_: str = "m", start: int = 0, end: int | None = None, name: str = "a", **more: Any) -> Values:
    """The migration of a from h1 to h2 in ten seconds."""
    return step(
        id_, "migrate", start, start + 10 if end is None else end, **{"vm": name, "src": "h1", "to": "h2", **more}
    )


def said(
    night: Night,
    steps: Sequence[Values],
    free: Sequence[Values] = (),
    jobs: Sequence[Values] = (),
    now: datetime | None = None,
) -> list[str]:
    """The faults of a plan."""
    made = plan(steps, free, jobs)
    return TimedReplay(night.cluster, night.holding, night.asked, night.work, made, at=now).faults


@dataclass
class Case:
    """A plan, and all that the judge says of it."""

    night: Night
    steps: Sequence[Values] = ()
    faults: Sequence[str] = ()
    free: Sequence[Values] = ()
    jobs: Sequence[Values] = ()
    now: datetime | None = field(default=None)


JOB = {"name": "film", "cpus": 2, "hours": 0.005}
M60 = [host("h1", m60()), host("h2", m60())]
BACK = {"way_back": "same-host"}


def desk(name: str = "a", on: str = "h1", seat: str = "g0/0", profile: str = "M60-1Q", **more: Any) -> Values:
    """A desktop with a vGPU."""
    return quick(name, want(profile, seat), on=on, **more)


def evacuate(*hosts: str, **more: Any) -> Values:
    """An evacuation for a minute."""
    return {"kind": "evacuate", "hosts": list(hosts), "minutes": 1, "windows": [window(0, 300)], **more}


def switch(**more: Any) -> Values:
    """GPUs of h1 are to be put in another mode, in a minute."""
    return {"kind": "set-mode", "host": "h1", "minutes": 1, "windows": [window(0, 300)], **more}


def care(host_: str, start: int = 0, end: int = 60) -> list[Values]:
    """A host in maintenance."""
    enter = step(f"in-{host_}", "enter-maintenance", start, host=host_)
    return [enter, step(f"out-{host_}", "leave-maintenance", end, host=host_)]


CASES = {
    # --- on paper
    "a_step_says_what_it_needs": Case(
        pair(), [step("m", "migrate", 0, 10, vm="a", src="h1")], ["step m: migrate says no to"]
    ),
    "a_vm_is_known": Case(pair(), [go(name="b")], ["step m: vm: found 'b', expected a VM of this snapshot"]),
    "a_host_is_known": Case(
        pair(),
        [go(to="h22")],
        ["step m: to: found 'h22', expected a host of this snapshot; did you mean 'h2'?"],
    ),
    "a_job_is_known": Case(
        pair(jobs=[JOB]),
        [step("go", "start-job", 0, job="flim", host="h2")],
        ["step go: job: found 'flim', expected a job of this snapshot; did you mean 'film'?"],
    ),
    "times_are_whole_seconds": Case(
        pair(),
        [{**go(), "end": "2026-11-20T22:00:10.5Z"}],
        ["step m: times of a plan are whole seconds"],
    ),
    "a_step_ends_after_it_starts": Case(pair(), [go(end=0)], [f"step m: ends at {at(0)}, no later than it starts"]),
    "job_steps_take_no_time": Case(
        pair(jobs=[JOB]),
        [step("go", "start-job", 0, 5, job="film", host="h2")],
        ["step go: start-job takes no time"],
    ),
    "ids_are_unique": Case(
        pair(quick("a", on="h1"), quick("b", on="h1")),
        [go(), go(start=10, name="b")],
        ["step m: 2 steps have this id"],
    ),
    "a_wait_is_for_a_step": Case(pair(), [go(waits_for="x")], ["step m: waits for x, and there is no such step"]),
    "no_step_waits_for_itself": Case(pair(), [go(waits_for="m")], ["step m: waits for itself"]),
    "a_wait_has_ended": Case(
        pair(quick("a", on="h1"), quick("b", on="h1"), request={"limits": {"moves_at_once_per_host": 2}}),
        [go(), go("n", 9, name="b", waits_for="m")],
        [f"step n: waits for m, which ends at {at(10)}; it starts at {at(9)}"],
    ),
    "a_freed_host_is_known": Case(
        pair(jobs=[JOB]),
        [],
        [
            "freed[0].host: found 'h9', expected a host of this snapshot",
        ],
        [freed("h9", 0, 50)],
    ),
    "a_suspended_vm_leaves_a_host_that_is_known": Case(
        pair(quick("a", on="h1", may="suspend")),
        [step("s", "suspend", 0, 8, vm="a", host="x")],
        ["step s: host: found 'x', expected a host of this snapshot"],
    ),
    "a_host_in_maintenance_is_known": Case(
        pair(request=evacuate("h2")),
        [step("in", "enter-maintenance", 0, host="x")],
        ["step in: host: found 'x', expected a host of this snapshot"],
    ),
    # --- VMs
    "who_is_off_stays_off": Case(
        pair(vm("a")),
        [step("on", "power-on", 0, 60, vm="a", host="h1")],
        ["step on: a is off in the snapshot, and stays so"],
    ),
    "one_step_at_a_time": Case(
        pair(request={"limits": {"moves_at_once_per_host": 2}}),
        [go(), go("n", 9)],
        ["step n: a is still under way in step m"],
    ),
    "one_step_right_after_the_other": Case(pair(), [go(), go("n", 10, src="h2", to="h1")]),
    "only_vms_of_the_scope": Case(
        pair(request={"hosts": ["h2"]}), [go()], ["step m: a is on h1, outside the scope of the request"]
    ),
    "a_step_takes_its_time": Case(pair(), [go(end=9)], ["step m: takes 9 s, a takes 10"]),
    "a_start_takes_its_time": Case(
        pair(quick("a", on="h1", may="power_cycle")),
        [step("off", "power-off", 0, 6, vm="a", host="h1"), step("on", "power-on", 6, 12, vm="a", host="h1")],
        ["step on: takes 6 s, a takes 7"],
    ),
    "who_must_stay_stays": Case(
        pair(rules=[{"kind": "stay", "vms": ["a"]}]),
        [go(), go("n", 10, src="h2", to="h1")],
        ["step m: a must stay where it is", "step n: a must stay where it is"],
    ),
    "a_vm_leaves_the_host_on_which_it_stands": Case(
        pair(), [go(src="h2", to="h1")], ["step m: a is to leave h2, and stands on h1"]
    ),
    "who_is_suspended_leaves_no_host": Case(
        pair(quick("a", on="h1", may="suspend live_migrate")),
        [step("s", "suspend", 0, 8, vm="a", host="h1"), go(start=8)],
        ["step m: a is to leave h1, and is suspended"],
    ),
    "who_is_powered_off_leaves_no_host": Case(
        pair(quick("a", on="h1", may="power_cycle live_migrate")),
        [step("off", "power-off", 0, 6, vm="a", host="h1"), go(start=8)],
        ["step m: a is to leave h1, and is powered off"],
    ),
    "no_move_to_its_own_host": Case(pair(), [go(to="h1")], ["step m: a would move to the host on which it stands"]),
    "who_may_not_be_migrated_is_not": Case(
        pair(quick("a", on="h1", may="")), [go()], ["step m: a may not be live-migrated"]
    ),
    "who_holds_a_whole_gpu_is_not_migrated": Case(
        pair(quick("a", want(at="g0"), on="h1"), hosts=[host("h1", gpu("A40")), host("h2", gpu("A40"))]),
        [go(gpus="g0")],
        [
            "step m: a holds a pass-through GPU, which cannot be live-migrated",
            "step m: a cannot go to h2: a GPU there is or may be passed through, "
            "and nothing can be live-migrated to one",
        ],
    ),
    "not_to_another_vgpu_manager": Case(
        pair(desk(), hosts=[host("h1", m60(), vgpu_manager="16.1"), host("h2", m60(), vgpu_manager="17.0")]),
        [go(gpus="g0/M60-1Q/0")],
        ["step m: a cannot go to h2: vGPU manager 17.0 is not 16.1"],
    ),
    "not_where_ecc_differs": Case(
        pair(desk(), hosts=[host("h1", {**m60(), "ecc": True}), host("h2", {**m60(), "ecc": False})]),
        [go(gpus="g0/M60-1Q/0")],
        ["step m: a cannot go to h2: ECC state differs"],
    ),
    "nor_does_it_resume_there": Case(
        pair(desk(may="suspend"), hosts=[host("h1", {**m60(), "ecc": True}), host("h2", {**m60(), "ecc": False})]),
        [
            step("s", "suspend", 0, 8, vm="a", host="h1"),
            step("r", "resume", 8, 16, vm="a", host="h2", gpus="g0/M60-1Q/0"),
        ],
        ["step r: a cannot go to h2: ECC state differs"],
    ),
    "no_stun_above_the_requests_limit": Case(
        pair(request={"limits": {"stun_seconds": 1.9}}),
        [go()],
        ["step m: a would stand still for 2 s, the request allows 1.9"],
    ),
    "no_stun_above_the_vms_limit": Case(
        pair(quick("a", on="h1", stun_limit_seconds=1)),
        [go()],
        ["step m: a would stand still for 2 s, the VM allows 1"],
    ),
    "who_may_not_be_suspended_is_not": Case(
        pair(), [step("s", "suspend", 0, 8, vm="a", host="h1")], ["step s: a may not be suspended"]
    ),
    "who_is_suspended_is_not_suspended_again": Case(
        pair(quick("a", on="h1", may="suspend")),
        [step("s", "suspend", 0, 8, vm="a", host="h1"), step("t", "suspend", 8, 16, vm="a", host="h1")],
        ["step t: a is to leave h1, and is suspended"],
    ),
    "who_holds_a_whole_gpu_is_not_suspended": Case(
        pair(quick("a", want(at="g0"), on="h1", may="suspend"), hosts=[host("h1", gpu("A40")), host("h2")]),
        [step("s", "suspend", 0, 8, vm="a", host="h1")],
        ["step s: a holds a pass-through GPU, with which it cannot be suspended"],
    ),
    "who_may_not_be_powered_off_is_not": Case(
        pair(), [step("s", "power-off", 0, 8, vm="a", host="h1")], ["step s: a may not be powered off"]
    ),
    "who_is_not_suspended_does_not_resume": Case(
        pair(), [step("r", "resume", 0, 8, vm="a", host="h2")], ["step r: a is not suspended: it stands on h1"]
    ),
    "who_is_not_powered_off_does_not_start": Case(
        pair(quick("a", on="h1", may="suspend")),
        [step("s", "suspend", 0, 8, vm="a", host="h1"), step("on", "power-on", 8, 15, vm="a", host="h2")],
        ["step on: a is not powered off: it is suspended"],
    ),
    "a_power_cycle_may_change_the_host": Case(
        pair(
            quick("a", want(at="g0"), on="h1", may="power_cycle"),
            hosts=[host("h1", gpu("A40")), host("h2", gpu("A40"))],
        ),
        [
            step("off", "power-off", 0, 6, vm="a", host="h1"),
            step("on", "power-on", 6, 13, vm="a", host="h2", gpus="g0"),
        ],
    ),
    "a_cold_vm_does_not_mind_another_manager": Case(
        pair(
            desk(may="power_cycle"),
            hosts=[host("h1", m60(), vgpu_manager="16.1"), host("h2", m60(), vgpu_manager="17.0")],
        ),
        [
            step("off", "power-off", 0, 6, vm="a", host="h1"),
            step("on", "power-on", 6, 13, vm="a", host="h2", gpus="g0/M60-1Q/0"),
        ],
    ),
    # --- GPUs and rules
    "a_gpu_is_on_the_host": Case(
        pair(desk(), hosts=M60), [go(gpus="g7/M60-1Q/0")], ["step m: a gets GPU 'g7', which h2 does not have"]
    ),
    "a_moved_vm_holds_what_it_asks_for": Case(
        pair(desk(), hosts=M60), [go()], [f"{at(0)}, step m: h2: a: asks for 1 GPU items and has 0"]
    ),
    "the_manager_takes_the_first_legal_slot": Case(
        pair(
            quick("a", want("1g.10gb", "g0/0"), on="h1"),
            hosts=[host("h1", gpu("A100 PCIe 80GB", "mig")), host("h2", gpu("A100 PCIe 80GB", "mig"))],
            platform={"kind": "vsphere"},
        ),
        [go(gpus="g0/1g.10gb/3")],
        ["step m: the manager puts a at slot 0 of GPU g0, not at 3"],
    ),
    "then_that_slot_is_right": Case(
        pair(
            quick("a", want("1g.10gb", "g0/0"), on="h1"),
            hosts=[host("h1", gpu("A100 PCIe 80GB", "mig")), host("h2", gpu("A100 PCIe 80GB", "mig"))],
            platform={"kind": "vsphere"},
        ),
        [go(gpus="g0/1g.10gb/0")],
    ),
    "slots_of_one_size_are_all_the_same": Case(
        pair(desk(), hosts=M60, platform={"kind": "vsphere"}), [go(gpus="g0/M60-1Q/3")]
    ),
    "the_manager_may_take_any_slot": Case(
        pair(
            quick("a", want("1g.10gb", "g0/0"), on="h1"),
            quick("b", want("4g.40gb", "g1/0"), on="h1"),
            hosts=[
                host("h1", gpu("A100 PCIe 80GB", "mig"), gpu("A100 PCIe 80GB", "mig")),
                host("h2", gpu("A100 PCIe 80GB", "mig")),
            ],
            platform={"kind": "vsphere", "slots": "worst-case"},
        ),
        [go(gpus="g0/1g.10gb/4"), go("n", 10, name="b", gpus="g0/4g.40gb/0")],
        ["step n: h2: GPU g0: not every choice of slots by the manager leaves room"],
    ),
    "in_the_other_order_any_slot_will_do": Case(
        pair(
            quick("a", want("1g.10gb", "g0/0"), on="h1"),
            quick("b", want("4g.40gb", "g1/0"), on="h1"),
            hosts=[
                host("h1", gpu("A100 PCIe 80GB", "mig"), gpu("A100 PCIe 80GB", "mig")),
                host("h2", gpu("A100 PCIe 80GB", "mig")),
            ],
            platform={"kind": "vsphere", "slots": "worst-case"},
        ),
        [go("n", name="b", gpus="g0/4g.40gb/0"), go(start=10, gpus="g0/1g.10gb/4")],
    ),
    "a_vm_on_the_move_stands_on_two_hosts": Case(
        pair(
            quick("a", on="h1", cpus=8), quick("b", on="h2", cpus=8), request={"limits": {"moves_at_once_per_host": 2}}
        ),
        [go(), go("n", 0, name="b", src="h2", to="h1")],
        [
            f"{at(0)}, step m, step n: h1: 16 CPUs are given, 8 can be",
            f"{at(0)}, step m, step n: h2: 16 CPUs are given, 8 can be",
        ],
    ),
    "what_ends_has_ended_before_anything_starts": Case(
        pair(quick("a", on="h1", cpus=8), quick("b", on="h2", cpus=8), hosts=[host("h1"), host("h2"), host("h3")]),
        [go("n", 0, name="b", src="h2", to="h3"), go(start=10)],
    ),
    "one_second_earlier_there_is_no_room": Case(
        pair(
            quick("a", on="h1", cpus=8),
            quick("b", on="h2", cpus=8),
            hosts=[host("h1"), host("h2"), host("h3")],
            request={"limits": {"moves_at_once_per_host": 2}},
        ),
        [go("n", 0, name="b", src="h2", to="h3"), go(start=9)],
        [f"{at(9)}, step m: h2: 16 CPUs are given, 8 can be"],
    ),
    "a_rule_at_rest_may_be_broken_under_way": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h2"),
            hosts=[host("h1"), host("h2"), host("h3")],
            rules=[{"kind": "apart", "vms": ["a", "b"]}],
            request={"limits": {"moves_at_once_per_host": 2}},
        ),
        [go(), go("n", 5, name="b", src="h2", to="h3")],
    ),
    "a_rule_at_rest_holds_between_steps": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h2"),
            hosts=[host("h1"), host("h2"), host("h3")],
            rules=[{"kind": "apart", "vms": ["a", "b"]}],
        ),
        [go(), go("n", 11, name="b", src="h2", to="h3")],
        [f"{at(10)}, step m: host h2: a, b are to be apart by host"],
    ),
    "what_is_broken_already_may_stay_so": Case(
        pair(quick("a", on="h1"), quick("b", on="h2", cpus=9)),
        [go(name="b", src="h2", to="h1")],
        [
            f"{at(0)}, step m: h1: 10 CPUs are given, 8 can be",
            f"{at(0)}, step m: h1: b alone has more CPUs than can be given",
        ],
    ),
    "what_stays_broken_is_said_once": Case(
        pair(quick("a", on="h1"), quick("b", on="h2", cpus=8), hosts=[host("h1"), host("h2")]),
        [go(), go("n", 20, src="h2", to="h1")],
        [f"{at(0)}, step m: h2: 9 CPUs are given, 8 can be"],
    ),
    # --- limits
    "a_step_is_inside_a_window": Case(
        pair(), [go(start=95)], [f"step m: {at(95)} to {at(105)} is not inside a window"]
    ),
    "a_step_lies_in_one_window": Case(
        pair(request={"windows": [window(0, 20), window(25, 60)]}),
        [go(start=15, end=30)],
        [f"step m: {at(15)} to {at(30)} is not inside a window"],
    ),
    "windows_that_touch_are_one": Case(
        pair(request={"windows": [window(20, 60), window(0, 20)]}), [go(start=15, end=30)]
    ),
    "nothing_starts_before_the_plan_is_begun": Case(
        pair(), [go()], [f"step m: starts at {at(0)}, before {at(1)}"], now=EVENING + timedelta(seconds=1)
    ),
    "one_migration_at_a_time_for_a_host": Case(
        pair(quick("a", on="h1"), quick("b", on="h1"), hosts=[host("h1"), host("h2"), host("h3")]),
        [go(), go("n", 9, name="b", to="h3")],
        [f"step n: h1 has 2 migrations under way at {at(9)}, at most 1 are allowed"],
    ),
    "so_many_migrations_at_a_time": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h3"),
            hosts=[host("h1"), host("h2"), host("h3"), host("h4")],
            request={"limits": {"moves_at_once": 1}},
        ),
        [go(), go("n", 9, name="b", src="h3", to="h4")],
        [f"step n: 2 migrations are under way at {at(9)}, at most 1 may be"],
    ),
    "so_many_migrations": Case(
        pair(request={"limits": {"most_moves": 1}}),
        [go(), go("n", 20, src="h2", to="h1")],
        ["2 migrations, at most 1 are allowed"],
    ),
    "so_many_migrations_on_a_link": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h3"),
            hosts=[host(f"h{i}", labels={"rack": f"r{i % 2}"}) for i in (1, 2, 3, 4)],
            request={"limits": {"links": [{"label": "rack", "moves_at_once": 1}]}},
        ),
        [go(), go("n", 9, name="b", src="h3", to="h4")],
        [
            f"step n: the link of rack r1 has 2 migrations at {at(9)}, at most 1 may be",
            f"step n: the link of rack r0 has 2 migrations at {at(9)}, at most 1 may be",
        ],
    ),
    "a_move_inside_a_rack_does_not_use_its_link": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h3"),
            hosts=[host(f"h{i}", labels={"rack": f"r{i % 2}"}) for i in (1, 2, 3, 5)],
            request={"limits": {"links": [{"label": "rack", "moves_at_once": 1}]}},
        ),
        [go(), go("n", 9, name="b", src="h3", to="h5")],
    ),
    "so_much_on_a_link": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h3"),
            hosts=[host("h1", labels={"rack": "r1"}), host("h2"), host("h3", labels={"rack": "r1"}), host("h4")],
            request={"limits": {"mib_per_second": 600, "links": [{"label": "rack", "mib_per_second": 1199}]}},
        ),
        [go(), go("n", 9, name="b", src="h3", to="h4")],
        [f"step n: the link of rack r1 carries 1200 MiB/s at {at(9)}, at most 1199"],
    ),
    "so_much_in_the_store": Case(
        pair(
            desk(may="suspend"),
            desk("b", seat="g0/1", may="suspend"),
            hosts=M60,
            request={"limits": {"store_mib": 4095}},
        ),
        [
            step("s", "suspend", 0, 8, vm="a", host="h1"),
            step("r", "resume", 8, 16, vm="a", host="h1", gpus="g0/M60-1Q/0"),
            step("t", "suspend", 15, 23, vm="b", host="h1"),
        ],
        [f"step t: the store holds 4096 MiB of suspended VMs at {at(15)}, at most 4095"],
    ),
    "the_store_is_free_again_after_the_resumption": Case(
        pair(
            desk(may="suspend"),
            desk("b", seat="g0/1", may="suspend"),
            hosts=M60,
            request={"limits": {"store_mib": 4095}},
        ),
        [
            step("s", "suspend", 0, 8, vm="a", host="h1"),
            step("r", "resume", 8, 16, vm="a", host="h1", gpus="g0/M60-1Q/0"),
            step("t", "suspend", 16, 24, vm="b", host="h1"),
        ],
    ),
    # --- hosts
    "an_evacuation_is_silent": Case(pair(request=evacuate("h1")), [go(), *care("h1", 10, 70)]),
    "nobody_stands_on_a_host_in_maintenance": Case(
        pair(request=evacuate("h1")),
        care("h1", 0, 60),
        [f"{at(0)}: h1: is in maintenance and has a"],
    ),
    "nobody_comes_to_a_host_in_maintenance": Case(
        pair(request=evacuate("h2")),
        [*care("h2", 0, 60), go(start=55)],
        [f"{at(55)}, step m: h2: is in maintenance and has a"],
    ),
    "only_the_hosts_that_are_named": Case(
        pair(request=evacuate("h1")),
        care("h2"),
        ["step in-h2: nobody asked for h2 to be put in maintenance"],
    ),
    "no_host_enters_twice": Case(
        pair(request=evacuate("h2")),
        [*care("h2", 0, 60), step("x", "enter-maintenance", 30, host="h2")],
        ["step x: h2 is in maintenance already"],
    ),
    "a_host_that_is_down_does_not_enter": Case(
        pair(hosts=[host("h1"), host("h2", state="disconnected")], request=evacuate("h2")),
        [step("x", "enter-maintenance", 30, host="h2")],
        ["step x: h2 is disconnected already"],
    ),
    "a_host_leaves_before_it_enters_again": Case(
        pair(request=evacuate("h2")),
        [
            step("in", "enter-maintenance", 0, host="h2"),
            step("out", "leave-maintenance", 60, 70, host="h2"),
            step("in2", "enter-maintenance", 65, host="h2"),
        ],
        [f"step in2: h2 leaves maintenance until {at(70)}"],
    ),
    "only_who_entered_leaves": Case(
        pair(request=evacuate("h2")),
        [step("out", "leave-maintenance", 60, host="h2")],
        ["step out: this plan did not put h2 in maintenance"],
    ),
    "a_host_has_entered_before_it_leaves": Case(
        pair(request=evacuate("h2")),
        [
            step("in", "enter-maintenance", 0, 9, host="h2"),
            step("out", "leave-maintenance", 8, 10, host="h2"),
            step("out2", "leave-maintenance", 70, host="h2"),
        ],
        [f"step out: h2 enters maintenance until {at(9)}"],
    ),
    "a_host_leaves_maintenance": Case(
        pair(request=evacuate("h2")),
        [step("in", "enter-maintenance", 0, host="h2")],
        ["step in: h2 never leaves maintenance"],
    ),
    "a_host_has_its_minutes": Case(
        pair(request=evacuate("h2")),
        [
            step("in", "enter-maintenance", 0, 10, host="h2"),
            step("out", "leave-maintenance", 64, 80, host="h2"),
        ],
        ["step in: h2 is in maintenance for 0.9 minutes, 1 are needed"],
    ),
    "so_many_hosts_at_once": Case(
        pair(hosts=[host("h1"), host("h2"), host("h3")], request=evacuate("h2", "h3", at_once=1)),
        [*care("h2", 0, 60), *care("h3", 59, 120)],
        [f"step in-h3: 2 hosts are in maintenance at {at(59)}, at most 1 may be"],
    ),
    "in_the_order_that_is_asked": Case(
        pair(hosts=[host("h1"), host("h2"), host("h3")], request=evacuate("h3", "h2", in_order=True)),
        [*care("h2", 0, 60), *care("h3", 61, 121)],
        ["step in-h2: h2 comes before h3, out of order"],
    ),
    "a_host_that_is_left_out_is_no_fault": Case(pair(request=evacuate("h1", "h2", in_order=True)), care("h2")),
    "a_restart_is_in_maintenance": Case(
        pair(request=evacuate("h2")),
        [step("boot", "restart-host", 0, 60, host="h2")],
        ["step boot: h2 restarts outside maintenance"],
    ),
    "a_restart_takes_its_time": Case(
        pair(request=evacuate("h2")),
        [*care("h2"), step("boot", "restart-host", 0, 59, host="h2")],
        ["step boot: takes 59 s, a restart takes 60"],
    ),
    "nobody_stands_on_a_host_that_restarts": Case(
        pair(quick("a", on="h2"), hosts=[host("h1"), host("h2", state="maintenance")], request=evacuate("h2")),
        [step("boot", "restart-host", 0, 60, host="h2")],
        ["step boot: h2 restarts, and a stands there"],
    ),
    # --- modes and sharings
    "set_mode_says_what": Case(
        pair(hosts=M60, request=switch(mode="compute")),
        [step("set", "set-mode", 0, host="h1", gpus="g0")],
        ["step set: set-mode says no GPUs, or neither mode nor sharing"],
    ),
    "a_gpu_to_change_is_there": Case(
        pair(hosts=M60, request=switch(sharing="passthrough")),
        [step("set", "set-mode", 0, host="h1", gpus="g9", sharing="passthrough")],
        ["step set: h1 has no GPU 'g9'"],
    ),
    "only_gpus_that_are_named": Case(
        pair(hosts=[host("h1", m60(), m60()), host("h2")], request=switch(sharing="passthrough", gpus=["g0"])),
        [step("set", "set-mode", 0, host="h1", gpus="g1", sharing="passthrough")],
        ["step set: nobody asked for GPU g1 of h1 to be changed so"],
    ),
    "one_change_at_a_time": Case(
        pair(hosts=M60, request=switch(sharing="passthrough")),
        [
            step("set", "set-mode", 0, 20, host="h1", gpus="g0", sharing="passthrough"),
            step("set2", "set-mode", 19, 30, host="h1", gpus="g0", sharing="passthrough"),
        ],
        ["step set2: GPU g0 of h1 is still being changed by another step"],
    ),
    "only_a_sharing_that_it_may_be_put_in": Case(
        pair(hosts=[host("h1", gpu("T4")), host("h2")], request=switch(sharing="mig")),
        [step("set", "set-mode", 0, host="h1", gpus="g0", sharing="mig")],
        ["step set: GPU g0 of h1 may not be put in sharing mig"],
    ),
    "only_a_mode_that_it_has": Case(
        pair(hosts=[host("h1", gpu("T4")), host("h2")], request=switch(mode="compute")),
        [step("set", "set-mode", 0, 60, host="h1", gpus="g0", mode="compute")],
        ["step set: a T4 has no mode compute"],
    ),
    "a_flash_is_in_maintenance": Case(
        pair(quick("a", on="h2"), hosts=M60, request=switch(mode="compute")),
        [
            step("in", "enter-maintenance", 1, host="h1"),
            step("set", "set-mode", 0, 60, host="h1", gpus="g0", mode="compute"),
            step("boot", "restart-host", 60, 120, host="h1"),
            step("out", "leave-maintenance", 120, host="h1"),
        ],
        ["step set: h1 is not in maintenance from start to end"],
    ),
    "a_flash_takes_its_time": Case(
        pair(quick("a", on="h2"), hosts=M60, request=switch(mode="compute")),
        [
            *care("h1", 0, 120),
            step("set", "set-mode", 0, 59, host="h1", gpus="g0", mode="compute"),
            step("boot", "restart-host", 60, 120, host="h1"),
        ],
        ["step set: takes 59 s, a flash takes 60"],
    ),
    "a_flashed_gpu_is_of_no_use_before_the_restart": Case(
        pair(
            quick("a", want(models=["Tesla M60.compute"], at="g0"), on="h2", may="power_cycle"),
            hosts=[host("h1", m60("passthrough")), host("h2", gpu("Tesla M60", mode="compute"))],
            request=switch(mode="compute"),
        ),
        [
            *care("h1", 0, 60),
            step("set", "set-mode", 0, 60, host="h1", gpus="g0", mode="compute"),
            step("off", "power-off", 0, 6, vm="a", host="h2"),
            step("on", "power-on", 60, 67, vm="a", host="h1", gpus="g0"),
        ],
        ["step set: h1: GPU g0 is flashed, and not restarted yet, and a holds it"],
    ),
    "a_flashed_gpu_is_in_its_new_mode_after_the_restart": Case(
        pair(
            quick("a", want(models=["Tesla M60.compute"], at="g0"), on="h2", may="power_cycle"),
            hosts=[host("h1", m60("passthrough")), host("h2", gpu("Tesla M60", mode="compute"))],
            request=switch(mode="compute"),
        ),
        [
            *care("h1", 0, 120),
            step("set", "set-mode", 0, 60, host="h1", gpus="g0", mode="compute"),
            step("boot", "restart-host", 60, 120, host="h1"),
            step("off", "power-off", 0, 6, vm="a", host="h2"),
            step("on", "power-on", 120, 127, vm="a", host="h1", gpus="g0"),
        ],
    ),
    "a_gpu_in_use_does_not_change": Case(
        pair(desk(), hosts=M60, request=switch(sharing="passthrough")),
        [step("set", "set-mode", 9, host="h1", gpus="g0", sharing="passthrough"), go(gpus="g0/M60-1Q/0")],
        ["step set: h1: GPU g0 changes its sharing, and a holds it"],
    ),
    "a_gpu_changes_once_it_is_empty": Case(
        pair(desk(), hosts=M60, request=switch(sharing="passthrough")),
        [step("set", "set-mode", 10, host="h1", gpus="g0", sharing="passthrough"), go(gpus="g0/M60-1Q/0")],
    ),
    "a_consolidation_puts_gpus_back": Case(
        pair(quick("a", on="h2"), hosts=M60, request=BACK),
        [step("set", "set-mode", 10, host="h1", gpus="g0", sharing="passthrough")],
        ["h1: GPU g0 is not put back in graphics mode and sharing same-size"],
    ),
    # --- freed hosts and jobs
    "a_freed_host_is_free": Case(
        pair(),
        [go()],
        [f"h1: is not free from {at(9)} until {at(50)}: a stands there until {at(10)}"],
        [freed("h1", 9, 50)],
    ),
    "a_freed_interval_lasts": Case(
        pair(), [], [f"freed[0]: ends at {at(50)}, no later than it starts"], [freed("h2", 50, 50)]
    ),
    "a_run_has_its_steps": Case(
        pair(jobs=[JOB]),
        [step("go", "start-job", 1, job="film", host="h2"), step("end", "stop-job", 40, job="film", host="h2")],
        [
            f"film on h2: 1 start-job at {at(1)} belongs to no run",
            f"film on h2: 1 stop-job at {at(40)} belongs to no run",
        ],
    ),
    "a_run_is_of_an_instance": Case(
        pair(jobs=[JOB]),
        [],
        ["job/film/1 on h2: film has 1 instances, counted from 0"],
        [freed("h2", 0, 50)],
        [run("film", "h2", 0, 30, 1)],
    ),
    "a_run_is_on_a_freed_host": Case(
        pair(jobs=[JOB]),
        [],
        [f"job/film/0 on h2: h2 is not freed from {at(0)} until {at(51)}"],
        [freed("h2", 0, 50), freed("h2", 50, 70)],
        [run("film", "h2", 0, 51)],
    ),
    "a_run_takes_room": Case(
        pair(jobs=[{**JOB, "cpus": 5, "instances": 2}]),
        [],
        [f"{at(29)}, job/film/1 on h2: h2: 10 CPUs are given, 8 can be"],
        [freed("h2", 0, 70)],
        [run("film", "h2", 0, 30), run("film", "h2", 29, 60, 1)],
    ),
    "a_run_lasts": Case(
        pair(jobs=[JOB]),
        [],
        ["job/film/0: runs for 17 s, needs 0.005 h"],
        [freed("h2", 0, 50)],
        [run("film", "h2", 0, 17)],
    ),
    "a_job_runs_once": Case(
        pair(jobs=[JOB]),
        [],
        ["job/film/0: has 2 runs, and cannot be checkpointed"],
        [freed("h2", 0, 70)],
        [run("film", "h2", 0, 20), run("film", "h2", 30, 50)],
    ),
    "a_checkpointed_job_runs_in_parts": Case(
        pair(jobs=[{**JOB, "checkpointed": True}]),
        [],
        (),
        [freed("h2", 0, 70)],
        [run("film", "h2", 0, 10), run("film", "h2", 10, 15)],
    ),
    "its_parts_do_not_overlap": Case(
        pair(jobs=[{**JOB, "checkpointed": True}]),
        [],
        ["job/film/0 on h2: another run of this instance has not ended"],
        [freed("h2", 0, 70)],
        [run("film", "h2", 0, 10), run("film", "h2", 9, 15)],
    ),
    "a_job_waits_for_its_hour": Case(
        pair(jobs=[{**JOB, "not_before": at(5)}]),
        [],
        [f"job/film/0 on h2: starts at {at(4)}, before 2026-11-20T22:00:05+00:00"],
        [freed("h2", 0, 50)],
        [run("film", "h2", 4, 30)],
    ),
    "a_job_is_done_by_its_deadline": Case(
        pair(jobs=[{**JOB, "deadline": at(29)}]),
        [],
        [f"job/film/0 on h2: ends at {at(30)}, after its deadline 2026-11-20T22:00:29+00:00"],
        [freed("h2", 0, 50)],
        [run("film", "h2", 0, 30)],
    ),
    "a_whole_host_is_a_jobs_alone": Case(
        pair(jobs=[{**JOB, "whole_host": True}, {**JOB, "name": "other"}]),
        [],
        [f"job/film/0 on h2: wants the whole host, and job/other/0 stands there from {at(29)} until {at(60)}"],
        [freed("h2", 0, 70)],
        [run("film", "h2", 0, 30), run("other", "h2", 29, 60)],
    ),
    "a_freed_host_pays": Case(
        pair(jobs=[{**JOB, "value": 4}], request={"limits": {"least_gain": 5}}),
        [go()],
        ["h1: is freed for a job value of 4, at least 5 is asked"],
        [freed("h1", 10, 60)],
        [run("film", "h1", 10, 30)],
    ),
    "an_instance_in_parts_pays_each_host_its_part": Case(
        pair(
            quick("a", on="h1"),
            quick("b", on="h2"),
            hosts=[host("h1"), host("h2"), host("h3")],
            jobs=[{**JOB, "hours": 0.01, "value": 8, "checkpointed": True}],
            request={"limits": {"least_gain": 3, "moves_at_once_per_host": 2}},
        ),
        [go("m", to="h3"), go("n", name="b", src="h2", to="h3")],
        ["h2: is freed for a job value of 2, at least 3 is asked"],
        [freed("h1", 10, 60), freed("h2", 10, 60)],
        [run("film", "h1", 10, 40), run("film", "h2", 40, 50)],
    ),
    "a_host_is_free_within_a_window": Case(
        pair(jobs=[JOB]),
        [],
        [f"h2: is free from {at(80)} until {at(101)}, which is not inside a window"],
        [freed("h2", 80, 101)],
        [run("film", "h2", 80, 101)],
    ),
    "a_named_host_need_not_pay": Case(
        pair(jobs=[{**JOB, "value": 4}], request={"limits": {"least_gain": 5}, "free": ["h1"]}),
        [go()],
        (),
        [freed("h1", 10, 60)],
    ),
    # --- way back
    "back_by_the_windows_end": Case(pair(request=BACK), [go(), go("n", 90, src="h2", to="h1")]),
    "not_back_by_the_windows_end": Case(
        pair(request=BACK), [go()], [f"a: does not run on h1 at {at(100)}, when it is due"]
    ),
    "back_anywhere": Case(pair(request={"way_back": "any-host"}), [go()]),
    "who_is_migrated_runs": Case(
        pair(request={"way_back": "any-host", "ready_by": at(5)}), [go(), go("n", 20, src="h2", to="h1")]
    ),
    "who_resumes_does_not_run_yet": Case(
        pair(quick("a", on="h1", may="suspend"), request={"way_back": "any-host", "ready_by": at(15)}),
        [step("s", "suspend", 0, 8, vm="a", host="h1"), step("r", "resume", 8, 16, vm="a", host="h1")],
        [f"a: does not run at {at(15)} and until {at(100)}, when it is due"],
    ),
    "suspended_and_not_back": Case(
        pair(quick("a", on="h1", may="suspend"), request={"way_back": "any-host"}),
        [step("s", "suspend", 0, 8, vm="a", host="h1")],
        [f"a: does not run at {at(100)}, when it is due"],
    ),
    "without_a_way_back_nobody_is_due": Case(
        pair(quick("a", on="h1", may="suspend", ready_by=at(50))),
        [step("s", "suspend", 0, 8, vm="a", host="h1")],
    ),
    "back_by_the_time_that_is_asked": Case(
        pair(request={**BACK, "ready_by": at(80)}),
        [go(), go("n", 71, src="h2", to="h1")],
        [f"a: does not run on h1 at {at(80)} and until {at(100)}, when it is due"],
    ),
    "a_vms_own_time_comes_first": Case(
        pair(quick("a", on="h1", ready_by=at(81)), request={**BACK, "ready_by": at(40)}),
        [go(), go("n", 71, src="h2", to="h1")],
    ),
    "who_is_back_stays_back": Case(
        pair(request={**BACK, "ready_by": at(50)}),
        [go(), go("n", 20, src="h2", to="h1"), go("o", 60), go("p", 80, src="h2", to="h1")],
        [f"a: does not run on h1 at {at(50)} and until {at(100)}, when it is due"],
    ),
    "back_every_morning": Case(
        pair(request={**BACK, "windows": [window(0, 40), window(60, 100)]}),
        [go(), go("n", 80, src="h2", to="h1")],
        [f"a: does not run on h1 at {at(40)}, when it is due"],
    ),
    "back_by_a_later_morning_where_that_is_asked": Case(
        pair(request={**BACK, "windows": [window(0, 40), window(60, 100)], "ready_by": at(95)}),
        [go(), go("n", 80, src="h2", to="h1")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_judge_says_what_is_wrong_and_nothing_else(name: str) -> None:
    case = CASES[name]
    assert said(case.night, case.steps, case.free, case.jobs, case.now) == list(case.faults)


def test_maintenance_is_kept_where_a_decision_leaves_the_rule_out() -> None:
    night = pair(request=evacuate("h1"))
    made = plan(care("h1", 0, 60))
    faults = TimedReplay(night.cluster, [], night.asked, night.work, made).faults
    assert faults == [f"{at(0)}: h1: is in maintenance and has a"]


def test_no_vm_has_the_name_of_a_run() -> None:
    night = pair(vm("job/film/0"), jobs=[JOB])
    found = said(night, [], [freed("h2", 0, 50)], [run("film", "h2", 0, 30)])
    assert found[0] == "job/film/0: a VM of the cluster has this name"


def test_the_history_says_who_stood_where_and_when() -> None:
    night = pair(quick("a", on="h1"), quick("b", on="h2"), jobs=[JOB])
    made = plan([go()], [freed("h1", 10, 60)], [run("film", "h1", 10, 30)])
    replay = TimedReplay(night.cluster, night.holding, night.asked, night.work, made)
    begin = int(EVENING.astimezone(UTC).timestamp())
    assert replay.faults == []
    assert [(one.stand.vm, one.stand.host, one.start, one.end) for one in replay.history] == [
        ("a", "h1", EVER, begin + 10),
        ("b", "h2", EVER, NEVER),
        ("a", "h2", begin, NEVER),
        ("job/film/0", "h1", begin + 10, begin + 30),
    ]


def test_every_goal_is_recounted() -> None:
    night = pair(
        quick("a", on="h1"),
        quick("b", on="h1", may="suspend"),
        quick("c", on="h1", may="power_cycle"),
        request={"free": ["h1"], "windows": [window(5, 100)], "limits": {"moves_at_once_per_host": 2}},
        jobs=[{**JOB, "value": 9, "instances": 3}, {"name": "long", "hours": 0.02, "value": 100, "checkpointed": True}],
    )
    steps = [
        go(start=5, end=15),
        step("s", "suspend", 10, 18, vm="b", host="h1"),
        step("off", "power-off", 10, 20, vm="c", host="h1"),
        step("r", "resume", 70, 78, vm="b", host="h1"),
        go("n", 70, src="h2", to="h1"),
    ]
    runs = [run("film", "h1", 20, 40), run("film", "h1", 40, 60, 1), run("long", "h1", 20, 60)]
    replay = TimedReplay(
        night.cluster, night.holding, night.asked, night.work, plan(steps, [freed("h1", 20, 65)], runs)
    )
    assert replay.faults == []
    assert replay.score == {
        "job-value": 18,  # the long job's run is too short to be worth anything
        "named-freed": 1,
        "modes-set": 0,
        "hosts-freed": 1,
        "downtime": 68 + 90,  # b until it is back, c until the window's end
        "stun": 4000,
        "moves": 2,
        "soonest": 15,
    }


def test_where_nothing_is_freed_the_soonest_is_the_last_steps_end() -> None:
    night = pair(request=switch(sharing="passthrough"), hosts=M60)
    replay = TimedReplay(night.cluster, night.holding, night.asked, night.work, plan([go(start=3)]))
    assert (replay.score["soonest"], replay.score["named-freed"]) == (13, 0)


def test_gpus_in_the_mode_that_is_asked_are_counted_whoever_put_them_there() -> None:
    night = pair(
        hosts=[host("h1", m60(), m60("passthrough"), m60()), host("h2")], request=switch(sharing="passthrough")
    )
    steps = [step("set", "set-mode", 0, host="h1", gpus="g0", sharing="passthrough")]
    for gpus, score in ((None, 2), (["g1"], 1), (["g2"], 0)):
        asked = night.asked.model_copy(update={"gpus": gpus})
        assert TimedReplay(night.cluster, night.holding, asked, (), plan(steps)).score["modes-set"] == score


def test_a_gpu_that_a_vm_puts_back_in_its_old_sharing_is_not_counted() -> None:
    night = pair(
        desk(may="power_cycle"), hosts=[host("h1", m60(), m60()), host("h2")], request=switch(sharing="passthrough")
    )
    steps = [
        step("off", "power-off", 0, 6, vm="a", host="h1"),
        step("set", "set-mode", 6, host="h1", gpus="g0 g1", sharing="passthrough"),
        step("on", "power-on", 10, 17, vm="a", host="h1", gpus="g1/M60-1Q/0+same-size"),
    ]
    replay = TimedReplay(night.cluster, night.holding, night.asked, (), plan(steps))
    assert replay.faults == []
    assert replay.score["modes-set"] == 1
