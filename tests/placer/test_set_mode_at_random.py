"""Small random clusters whose GPUs are to be put in another mode or sharing: whatever comes out stands before the judge
and the slow replay, its bounds hold, and what is not done has a reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping

from placer.judge.timed import TimedReplay
from placer.set_mode import set_mode
from placer.undone import undone
from placer_models.night import SetMode
from tests.good_nights import quick
from tests.nights import Night, Values, window
from tests.slow_replay import slow_verdict
from tests.worlds import gpu, host, want

SHARINGS: Mapping[str, list[str]] = {
    "Tesla M60": ["passthrough", "same-size"],
    "A40": ["passthrough", "same-size", "mixed-size"],
    "A100 PCIe 80GB": ["passthrough", "mig"],
}
SEATS: Mapping[tuple[str, str], list[tuple[str, int]]] = {
    ("Tesla M60", "same-size"): [("M60-1Q", 0), ("M60-2Q", 0)],
    ("A40", "same-size"): [("A40-8Q", 0), ("A40-24Q", 0)],
    ("A40", "mixed-size"): [("A40-8Q", 0), ("A40-24Q", 0)],
    ("A100 PCIe 80GB", "mig"): [("1g.10gb", 0), ("3g.40gb", 4)],
}
"""A profile for each model and sharing, and a slot for it."""

MAY = ("live_migrate", "power_cycle", "suspend", "live_migrate suspend", "power_cycle suspend", "")


def _gpus(rng: random.Random, model: str) -> Iterator[Values]:
    for _ in range(rng.choice([1, 2, 2])):
        sharing = rng.choice(SHARINGS[model])
        others = [other for other in SHARINGS[model] if other != sharing and rng.random() < 0.8]
        flashed = model == "Tesla M60" and sharing == "passthrough" and rng.random() < 0.2
        yield {**gpu(model, sharing, *others), **({"mode": "compute"} if flashed else {})}


def _holder(rng: random.Random, name: str, on: str, number: int, one: Values) -> Values:
    if one["sharing"] == "passthrough":
        mode = {"mode": one["mode"]} if "mode" in one else {}
        return quick(name, want(at=f"g{number}", models=[one["model"]], **mode), on=on, may=rng.choice(MAY))
    profile, slot = rng.choice(SEATS[one["model"], one["sharing"]])
    return quick(name, want(profile, f"g{number}/{slot}"), on=on, may=rng.choice(MAY))


def _night(rng: random.Random) -> Night:
    model, hosts, vms = rng.choice(list(SHARINGS)), [], []
    for name in [f"h{i}" for i in range(1, rng.choice([2, 3, 4]) + 1)]:
        gpus = list(_gpus(rng, model))
        hosts.append(host(name, *gpus, state=rng.choice(["up"] * 9 + ["maintenance"])))
        vms += [_holder(rng, f"v-{name}-{i}", name, i, one) for i, one in enumerate(gpus) if rng.random() < 0.7]
        if rng.random() < 0.5:
            vms.append(quick(f"w-{name}", on=name, may=rng.choice(MAY), cpus=rng.choice([1, 4])))
    asked: Values = {"kind": "set-mode", "host": "h1", "minutes": rng.choice([0, 1, 2])}
    asked["way_back"] = rng.choice(["any-host", "same-host", "none"])
    if model == "Tesla M60" and rng.random() < 0.6:
        asked["mode"] = rng.choice(["compute", "graphics"])
    if "mode" not in asked or rng.random() < 0.4:
        asked["sharing"] = rng.choice(SHARINGS[model])
    if rng.random() < 0.3:
        asked["limits"] = {"most_moves": rng.choice([0, 1]), "store_mib": rng.choice([1000, 40000])}
    if rng.random() < 0.2:
        asked["windows"] = [window(0, rng.choice([70, 100, 300])), window(5000, 5300)]
    platform = rng.choice([{"kind": "kvm"}, {"kind": "vsphere", "version": "8.0.3"}, {"slots": "worst-case"}])
    return Night(hosts, vms, asked, platform=platform)


def test_whatever_comes_out_is_right_and_its_bounds_hold() -> None:
    ends: Counter[str] = Counter()
    for seed in range(90):
        night = _night(random.Random(seed))
        assert isinstance(night.asked, SetMode)
        plan = set_mode(night.snapshot, night.asked)
        assert TimedReplay(night.cluster, night.holding, night.asked, (), plan).faults == [], seed
        if not plan.broken_now:  # the slow replay knows only clusters in which nothing is broken at the beginning
            assert slow_verdict(night.cluster, night.holding, night.asked, (), plan) is None, seed
        meant, changed = len(night.snapshot.hosts[0].gpus), plan.score["modes-set"]
        assert changed <= (plan.bound["modes-set"] or 0) <= meant, seed
        assert plan.score["downtime"] >= (plan.bound["downtime"] or 0), seed
        assert bool(undone(plan)) == (changed < meant) == bool(plan.left_out), seed
        ends["all" if changed == meant else "some" if changed else "none"] += 1
        ends["moved"] += any(step.vm is not None for step in plan.steps)
    assert min(ends[end] for end in ("all", "some", "none", "moved")) > 5, ends
