"""Good plans by hand, for small nights: the judge finds nothing in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.nights import Night, Values, at, freed, plan_values, run, step, window
from tests.worlds import gpu, host, vm, want

Good = tuple[Night, Values]

QUICK = {"migrate_seconds": 10, "stun_seconds": 2, "suspend_seconds": 8, "power_off_seconds": 6, "power_on_seconds": 7}


def quick(name: str, *asks: Values, on: str, may: str = "live_migrate", **more: Any) -> Values:
    """A running VM whose steps take a few seconds; `may` names what is allowed."""
    return {**vm(name, *asks, on=on, **more), "may": dict.fromkeys(may.split(), True), "measured": QUICK}


def m60(sharing: str = "same-size") -> Values:
    """An M60's GPU that may be put in any of its sharings."""
    return gpu("Tesla M60", sharing, *({"same-size", "passthrough"} - {sharing}))


def desktops() -> Good:
    """Two desktops leave h1 for a render job that wants the whole host; one move at a time for each host and link."""
    night = Night(
        [host(name, m60(), m60(), labels={"rack": rack}) for name, rack in (("h1", "r1"), ("h2", "r2"), ("h3", "r2"))],
        [
            quick("a", want("M60-1Q", "g0/0"), on="h1", stun_limit_seconds=2),
            quick("b", want("M60-2Q", "g1/0"), on="h1"),
            quick("c", want("M60-1Q", "g0/0"), on="h2"),
        ],
        {
            "free": ["h1"],
            "limits": {"moves_at_once": 2, "links": [{"label": "rack", "moves_at_once": 1}], "stun_seconds": 5},
            "windows": [window(0, 120)],
        },
        [{"name": "film", "gpus": [{"count": 2, "models": ["Tesla M60"]}], "whole_host": True, "hours": 0.01}],
    )
    steps = [
        step("m1", "migrate", 0, 10, vm="a", src="h1", to="h2", gpus="g0/M60-1Q/1"),
        step("m2", "migrate", 10, 20, vm="b", src="h1", to="h3", gpus="g0/M60-2Q/0", waits_for="m1"),
        step("m3", "migrate", 80, 90, vm="b", src="h3", to="h1", gpus="g1/M60-2Q/0", waits_for="stop-0"),
        step("m4", "migrate", 95, 105, vm="a", src="h2", to="h1", gpus="g0/M60-1Q/0", waits_for="m3"),
    ]
    runs = [run("film", "h1", 25, 65, gpus="g0+passthrough g1+passthrough")]
    return night, plan_values(steps, [freed("h1", 20, 80)], runs)


def sleepers() -> Good:
    """Idle desktops are suspended, not moved, as many as the store takes; one resumes on another host meanwhile."""
    night = Night(
        [host("h1", m60(), cpus=4), host("h2", m60(), cpus=4), host("h3", m60("passthrough"), cpus=3)],
        [
            quick("a", want("M60-1Q", "g0/0"), on="h1", may="suspend"),
            quick("b", want("M60-1Q", "g0/1"), on="h1", may="suspend live_migrate"),
            quick("c", want("M60-1Q", "g0/0"), on="h2", may="live_migrate"),
            quick("render", want(at="g0"), on="h3", may=""),
        ],
        {"free": ["h1"], "way_back": "same-host", "limits": {"store_mib": 4096}, "windows": [window(0, 140)]},
        [{"name": "batch", "cpus": 2, "instances": 2, "hours": 0.005, "value": 3}],
    )
    steps = [
        step("s1", "suspend", 5, 13, vm="a", host="h1"),
        step("s2", "suspend", 5, 14, vm="b", host="h1"),
        step("r2", "resume", 20, 28, vm="b", to="h2", gpus="g0/M60-1Q/1", waits_for="s2"),
        step("m2", "migrate", 80, 92, vm="b", src="h2", to="h1", gpus="g0/M60-1Q/1"),
        step("r1", "resume", 80, 90, vm="a", host="h1", gpus="g0/M60-1Q/0", waits_for="s1"),
    ]
    runs = [run("batch", "h1", 14, 40), run("batch", "h1", 30, 70, instance=1)]
    return night, plan_values(steps, [freed("h1", 14, 75)], runs)


def upgrade() -> Good:
    """A rolling upgrade, a host at a time, in order: pass-through VMs are powered off, and started on their host."""
    night = Night(
        [host("n1", gpu("A40"), gpu("A40")), host("n2", gpu("A40"), gpu("A40")), host("n3", gpu("A40"), gpu("A40"))],
        [
            quick("p1", want(at="g0 g1", count=2), on="n1", may="power_cycle"),
            quick("p2", want(at="g0"), on="n2", may="power_cycle"),
            quick("w", on="n2", may="live_migrate"),
        ],
        {
            "kind": "evacuate",
            "hosts": ["n1", "n2"],
            "minutes": 1,
            "at_once": 1,
            "in_order": True,
            "way_back": "any-host",
            "windows": [window(0, 250)],
        },
        platform={"kind": "ahv"},
    )
    steps = [
        step("off1", "power-off", 0, 6, vm="p1", host="n1"),
        step("in1", "enter-maintenance", 6, 8, host="n1", waits_for="off1"),
        step("boot1", "restart-host", 8, 68, host="n1"),
        step("out1", "leave-maintenance", 70, 72, host="n1", waits_for="boot1"),
        step("on1", "power-on", 72, 79, vm="p1", host="n1", gpus="g0 g1", waits_for="out1"),
        step("off2", "power-off", 70, 76, vm="p2", host="n2"),
        step("mw", "migrate", 70, 80, vm="w", src="n2", to="n3"),
        step("in2", "enter-maintenance", 80, 80, host="n2", waits_for="off2 mw out1"),
        step("out2", "leave-maintenance", 145, 145, host="n2", waits_for="in2"),
        step("on2", "power-on", 145, 155, vm="p2", host="n2", gpus="g1", waits_for="out2"),
    ]
    return night, plan_values(steps, [freed("n1", 6, 72), freed("n2", 80, 145)])


def hop() -> Good:
    """Two VMs swap hosts by way of a spare one, and stay; two others are to be apart, and one must not come to h3."""
    night = Night(
        [host("h1", cpus=2), host("h2", cpus=2), host("h3", cpus=2)],
        [
            quick("a", on="h1", cpus=2),
            quick("b", on="h2", cpus=1.5),
            quick("dc1", on="h3", cpus=0.5, memory_mib=512),
            quick("dc2", on="h1", cpus=0, memory_mib=512),
        ],
        {"way_back": "none", "limits": {"most_moves": 4, "moves_at_once": 1}, "windows": [window(0, 100)]},
        rules=[
            {"kind": "apart", "vms": ["dc1", "dc2"]},
            {"kind": "affinity", "vms": ["a"], "hosts": ["h3"], "strength": "must-not"},
            {"kind": "stay", "vms": ["dc1"]},
        ],
    )
    steps = [
        step("b1", "migrate", 0, 10, vm="b", src="h2", to="h3"),
        step("a1", "migrate", 22, 32, vm="a", src="h1", to="h2", waits_for="b1"),
        step("b2", "migrate", 34, 44, vm="b", src="h3", to="h1", waits_for="a1"),
    ]
    return night, plan_values(steps)


def flash() -> Good:
    """Two GPUs are flashed from graphics to compute for a night's job, and back."""
    night = Night(
        [host("h1", m60(), m60("passthrough")), host("h2", m60("passthrough"), m60("passthrough"))],
        [quick("desk", want("M60-1Q", at="g0/0"), on="h1"), quick("x", on="h2")],
        {"windows": [window(0, 4200)]},
        [{"name": "train", "gpus": [{"models": ["Tesla M60"], "mode": "compute"}], "hours": 0.02}],
    )
    steps = [
        step("m1", "migrate", 0, 10, vm="desk", src="h1", to="h2", gpus="g1/M60-1Q/0+same-size"),
        step("in", "enter-maintenance", 10, 12, host="h1", waits_for="m1"),
        step("to", "set-mode", 12, 912, host="h1", gpus="g0 g1", mode="compute", waits_for="in"),
        step("boot", "restart-host", 912, 1812, host="h1", waits_for="to"),
        step("out", "leave-maintenance", 1815, 1815, host="h1", waits_for="boot"),
        step("in2", "enter-maintenance", 1940, 1940, host="h1", waits_for="stop-0"),
        step("fro", "set-mode", 1941, 2841, host="h1", gpus="g0 g1", mode="graphics", waits_for="in2"),
        step("boot2", "restart-host", 2850, 3750, host="h1", waits_for="fro"),
        step("out2", "leave-maintenance", 3760, 3761, host="h1", waits_for="boot2"),
        step("m2", "migrate", 3761, 3771, vm="desk", src="h2", to="h1", gpus="g0/M60-1Q/0", waits_for="out2"),
    ]
    runs = [run("train", "h1", 1815, 1900, gpus="g1")]
    return night, plan_values(steps, [freed("h1", 10, 3761)], runs)


def mig() -> Good:
    """MIG instances on vSphere, which takes the first legal slot: who leaves first decides where the next one goes."""
    a100 = gpu("A100 PCIe 80GB", "mig")
    night = Night(
        [host("h1", a100), host("h2", a100)],
        [
            quick("a", want("1g.10gb", "g0/0"), on="h1"),
            quick("b", want("3g.40gb", "g0/4"), on="h1"),
            quick("c", want("1g.10gb", "g0/0"), on="h2"),
        ],
        {"way_back": "any-host", "windows": [window(0, 120)], "limits": {"moves_at_once_per_host": 2}},
        [{"name": "infer", "gpus": [{"profile": "4g.40gb"}], "hours": 0.01}],
        platform={"kind": "vsphere"},
    )
    steps = [
        step("m1", "migrate", 0, 10, vm="b", src="h1", to="h2", gpus="g0/3g.40gb/4"),
        step("m2", "migrate", 0, 12, vm="a", src="h1", to="h2", gpus="g0/1g.10gb/1"),
        step("m3", "migrate", 60, 70, vm="a", src="h2", to="h1", gpus="g0/1g.10gb/0"),
    ]
    runs = [run("infer", "h1", 14, 55, gpus="g0/4g.40gb/0")]
    return night, plan_values(steps, [freed("h1", 12, 60)], runs)


def two_nights() -> Good:
    """A checkpointed job runs in two nights; by each morning the VM is back."""
    night = Night(
        [host("h1"), host("h2")],
        [quick("a", on="h1", ready_by="2026-11-20T22:01:20Z"), quick("b", on="h2", may="suspend")],
        {"windows": [window(0, 100), window(150, 250)]},
        [
            {
                "name": "fold",
                "cpus": 8,
                "hours": 0.02,
                "checkpointed": True,
                "least_part_hours": 0.01,
                "checkpoint_minutes": 0,
                "deadline": "2026-11-20T22:04:00Z",
            }
        ],
    )
    steps = [
        step("m1", "migrate", 2, 12, vm="a", src="h1", to="h2"),
        step("m2", "migrate", 60, 70, vm="a", src="h2", to="h1", waits_for="stop-0 m1"),
        step("m3", "migrate", 152, 165, vm="a", src="h1", to="h2", waits_for="m2"),
        step("m4", "migrate", 235, 245, vm="a", src="h2", to="h1", waits_for="stop-1"),
    ]
    runs = [run("fold", "h1", 15, 55), run("fold", "h1", 170, 210)]
    return night, plan_values(steps, [freed("h1", 12, 58), freed("h1", 165, 230)], runs)


def switch() -> Good:
    """Pass-through GPUs are put in same-size sharing as asked, and VMs that had to leave start elsewhere."""
    t4s = [gpu("T4", "passthrough", "same-size"), gpu("T4", "passthrough", "same-size")]
    night = Night(
        [host("h1", *t4s), host("h2", *t4s)],
        [quick("p", want(at="g0"), on="h1", may="power_cycle"), quick("w", want(at="g1"), on="h1", may="")],
        {"kind": "set-mode", "host": "h1", "gpus": ["g0"], "sharing": "same-size", "windows": [window(0, 60)]},
    )
    steps = [
        step("off", "power-off", 5, 11, vm="p", host="h1"),
        step("set", "set-mode", 11, 11, host="h1", gpus="g0", sharing="same-size", waits_for="off"),
        step("on", "power-on", 15, 22, vm="p", host="h2", gpus="g1", waits_for="off"),
    ]
    return night, plan_values(steps)


def shares() -> Good:
    """VMs with thousandths of GPUs are packed on two hosts, and the third has two jobs side by side."""
    shared = gpu("A30", "fraction")
    night = Night(
        [host(f"h{i}", shared, shared, labels={"rack": "r1"}) for i in (1, 2)] + [host("h3", shared)],
        [
            quick("a", want(milli=400, count=2, at="g0 g1"), on="h1"),
            quick("b", want(milli=500, at="g0"), on="h3", ready_by="2026-11-20T22:01:15Z"),
            quick("c", want(milli=600, at="g0"), on="h2"),
        ],
        {
            "way_back": "any-host",
            "ready_by": "2026-11-20T22:01:30Z",
            "windows": [window(0, 100)],
            "limits": {"least_gain": 8, "most_moves": 3},
        },
        [
            {"name": "x", "cpus": 4, "gpus": [{"milli": 700}], "hours": 0.005, "value": 4},
            {"name": "y", "cpus": 4, "gpus": [{"milli": 300}], "hours": 0.005, "value": 5, "instances": 2},
        ],
        [
            {"kind": "limit", "vms": ["a", "b", "c"], "most_vms": 2},
            {"kind": "together", "vms": ["a", "c"], "by": "rack"},
        ],
    )
    steps = [step("m", "migrate", 0, 12, vm="b", src="h3", to="h1", gpus="g1/500")]
    runs = [
        run("x", "h3", 12, 50, gpus="g0/700"),
        run("y", "h3", 20, 45, gpus="g0/300"),
        run("y", "h3", 45, 70, 1, "g0/300"),
    ]
    return night, plan_values(steps, [freed("h3", 12, 100)], runs)


def midway() -> Good:
    """Another plan goes on at 15 s: d has left h3, where a job runs, s sleeps, a is on its way, b has yet to go."""
    night = Night(
        [host("h1", m60(), cpus=8), host("h2", m60(), cpus=8), host("h3", cpus=8)],
        [
            quick("a", on="h1"),
            quick("b", want("M60-1Q", "g0/0"), on="h1"),
            {**quick("s", want("M60-1Q"), on="h1", may="suspend"), "power": "suspended"},
            quick("c", on="h2"),
            quick("d", on="h2"),
        ],
        {"windows": [window(0, 140)], "limits": {"store_mib": 4096, "most_moves": 7}},
        [{"name": "film", "cpus": 6, "whole_host": True, "hours": 0.01, "instances": 2}],
    )
    steps = [
        step("s1", "suspend", 0, 8, vm="s", host="h1"),
        step("m0", "migrate", 0, 10, vm="d", src="h3", to="h2"),
        step("m1", "migrate", 10, 20, vm="a", src="h1", to="h2", waits_for="m0"),
        step("m2", "migrate", 20, 30, vm="b", src="h1", to="h2", gpus="g0/M60-1Q/0", waits_for="m1"),
        step("m3", "migrate", 85, 95, vm="b", src="h2", to="h1", gpus="g0/M60-1Q/0"),
        step("m4", "migrate", 98, 108, vm="a", src="h2", to="h1"),
        step("r1", "resume", 100, 110, vm="s", host="h1", gpus="g0/M60-1Q/1", waits_for="s1 m3"),
        step("m5", "migrate", 112, 125, vm="d", src="h2", to="h3"),
    ]
    runs = [run("film", "h3", 12, 60), run("film", "h1", 35, 75, instance=1)]
    values = plan_values(steps, [freed("h3", 10, 110), freed("h1", 30, 85)], runs)
    begun = {"at": at(15), "homes": {"d": "h3", "s": "h1"}}
    values["asked"] = {
        "request": night.asked.model_dump(mode="json", by_alias=True, exclude_none=True),
        "jobs": [job.model_dump(mode="json", exclude_none=True) for job in night.work],
        "begun": begun,
    }
    return night, values


GOOD: dict[str, Callable[[], Good]] = {
    make.__name__: make for make in (desktops, sleepers, upgrade, hop, flash, mig, two_nights, switch, shares, midway)
}
