"""Good plans with random faults put into them: the judge and an independent slow replay say the same of every one.

A fault may leave a plan good (a wait that was not needed is dropped): then neither may find anything.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta

import pytest

from placer.judge.timed import TimedReplay
from placer_models.document import dump, parse
from placer_models.plan import Plan
from tests.good_nights import GOOD
from tests.night_stories import told
from tests.nights import Night, Values
from tests.slow_replay import slow_verdict

FAULTS = dict.fromkeys(GOOD, 580) | {"flash": 240}
"""How many faulty plans are made of each good one: more than 5,000 together."""

HOSTS = ("h1", "h2", "h3", "n1", "n2", "n3")


def _shifted(text: str, seconds: int) -> str:
    moved = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return moved.isoformat().replace("+00:00", "Z")


def _shift(values: Values, rng: random.Random, first: str = "start", last: str = "end") -> None:
    """Earlier or later, wholly, or at one end: shorter, or into what comes next."""
    by = rng.choice([-1, 1]) * rng.choice([1, 2, 5, 10, 20, 40])
    for key in rng.choice([(first, last), (first, last), (first,), (last,)]):
        values[key] = _shifted(values[key], by)


def shift_step(plan: Values, rng: random.Random) -> None:
    _shift(rng.choice(plan["steps"]), rng)


def shift_run(plan: Values, rng: random.Random) -> None:
    """With its steps, or without."""
    if plan["jobs"]:
        run = rng.choice(plan["jobs"])
        before = dict(run)
        _shift(run, rng)
        if rng.random() < 0.8:
            for kind, key in (("start-job", "start"), ("stop-job", "end")):
                mine = (kind, run["host"], before[key])
                steps = (s for s in plan["steps"] if (s["kind"], s.get("host"), s["start"]) == mine)
                for step in [*steps][:1]:
                    step["start"] = step["end"] = run[key]


def change_run(plan: Values, rng: random.Random) -> None:
    if plan["jobs"]:
        run = rng.choice(plan["jobs"])
        what = rng.choice(["host", "instance", "gpus", "drop", "twice"])
        if what == "host":
            run["host"] = rng.choice(HOSTS)
        elif what == "instance":
            run["instance"] = rng.randrange(3)
        elif what == "gpus" and run["gpus"]:
            _other_gpu(run, rng)
        elif what == "drop":
            plan["jobs"].remove(run)
        else:
            plan["jobs"].append(deepcopy(run))


def change_freed(plan: Values, rng: random.Random) -> None:
    if plan["freed"]:
        freed = rng.choice(plan["freed"])
        if rng.random() < 0.7:
            _shift(freed, rng, "from", "until")
        elif rng.random() < 0.5:
            plan["freed"].remove(freed)
        else:
            freed["host"] = rng.choice(HOSTS)


def swap(plan: Values, rng: random.Random) -> None:
    """Two steps change their times, or their targets."""
    if len(plan["steps"]) > 1:
        one, other = rng.sample(plan["steps"], 2)
        for key in rng.choice([("start", "end"), ("to", "gpus"), ("gpus",), ("vm",)]):
            one_has, other_has = one.get(key), other.get(key)
            for step, value in ((one, other_has), (other, one_has)):
                if value is not None:
                    step[key] = value


def drop_wait(plan: Values, rng: random.Random) -> None:
    waiting = [step for step in plan["steps"] if step.get("waits_for")]
    if waiting:
        step = rng.choice(waiting)
        step["waits_for"].remove(rng.choice(step["waits_for"]))
        if rng.random() < 0.5:
            _shift(step, rng)


def add_wait(plan: Values, rng: random.Random) -> None:
    names = [step["id"] for step in plan["steps"]] + ["nobody"]
    rng.choice(plan["steps"]).setdefault("waits_for", []).append(rng.choice(names))


def other_host(plan: Values, rng: random.Random) -> None:
    step = rng.choice(plan["steps"])
    key = rng.choice([key for key in ("to", "from", "host") if key in step])
    step[key] = rng.choice(HOSTS)


def _other_gpu(holder: Values, rng: random.Random) -> None:
    placed = rng.choice(holder["gpus"])
    what = rng.choice(["gpu", "slot", "profile", "sharing", "milli", "drop", "twice"])
    if what == "gpu":
        placed["gpu"] = rng.choice(["g0", "g1"])
    elif what == "slot":
        placed["slot"] = rng.choice([0, 1, 2, 4, 7])
    elif what == "profile" and "profile" in placed:
        placed["profile"] = rng.choice(["M60-1Q", "M60-2Q", "1g.10gb", "2g.20gb", "M60-1A"])
    elif what == "sharing":
        placed["sharing"] = rng.choice(["passthrough", "same-size", "mig", "fraction"])
    elif what == "milli" and "milli" in placed:
        placed["milli"] = rng.choice([300, 400, 500, 700])
    elif what == "drop":
        holder["gpus"].remove(placed)
    else:
        holder["gpus"].append(deepcopy(placed))


def other_gpu(plan: Values, rng: random.Random) -> None:
    """Another GPU, slot, profile, sharing or share; one fewer, or one more."""
    holding = [step for step in plan["steps"] if step.get("gpus")]
    if holding:
        _other_gpu(rng.choice(holding), rng)


def other_vm(plan: Values, rng: random.Random) -> None:
    names = sorted({step["vm"] for step in plan["steps"] if "vm" in step} | {"w", "c", "ghost"})
    step = rng.choice(plan["steps"])
    if "vm" in step:
        step["vm"] = rng.choice(names)


def other_kind(plan: Values, rng: random.Random) -> None:
    twins = {"suspend": "power-off", "resume": "power-on", "enter-maintenance": "leave-maintenance"}
    twins |= {other: one for one, other in twins.items()}
    step = rng.choice([step for step in plan["steps"] if step["kind"] in twins] or plan["steps"])
    step["kind"] = twins.get(step["kind"], step["kind"])


def other_mode(plan: Values, rng: random.Random) -> None:
    for step in plan["steps"]:
        if step["kind"] == "set-mode" and rng.random() < 0.7:
            step[rng.choice(["mode", "sharing"])] = rng.choice(["graphics", "compute", "same-size", "passthrough"])
            if step.get("mode") not in (None, "graphics", "compute"):
                del step["mode"]
            if step.get("sharing") in ("graphics", "compute"):
                del step["sharing"]


def drop_step(plan: Values, rng: random.Random) -> None:
    plan["steps"].remove(rng.choice(plan["steps"]))


def twice(plan: Values, rng: random.Random) -> None:
    """A step is there once more: under its own id or another, and at another time."""
    copy = deepcopy(rng.choice(plan["steps"]))
    if rng.random() < 0.8:
        copy["id"] = "again"
    if rng.random() < 0.7:
        by = rng.choice([-60, -30, 15, 30, 60])
        copy["start"], copy["end"] = _shifted(copy["start"], by), _shifted(copy["end"], by)
    plan["steps"].append(copy)


def at_once(plan: Values, rng: random.Random) -> None:
    """A step starts together with another, and lasts as long as it did."""
    one, other = rng.choice(plan["steps"]), rng.choice(plan["steps"])
    length = datetime.fromisoformat(one["end"]) - datetime.fromisoformat(one["start"])
    one["start"] = other["start"]
    one["end"] = _shifted(other["start"], int(length.total_seconds()))
    if rng.random() < 0.5:
        one["waits_for"] = []


def later_all(plan: Values, rng: random.Random) -> None:
    """Everything is as late, or as early, by the same."""
    by = rng.choice([-5, -1, 1, 3, 7, 20])
    for one in (*plan["steps"], *plan["jobs"], *plan["freed"]):
        for key in ("start", "end", "from", "until"):
            if key in one and "T" in one[key]:
                one[key] = _shifted(one[key], by)


def change_begun(plan: Values, rng: random.Random) -> None:
    """How the night has begun is not so: at another time, from other homes."""
    begun = (plan.get("asked") or {}).get("begun")
    if not begun:
        shift_step(plan, rng)
        return
    what = rng.choice(["at", "at", "drop", "host", "more", "excuse"])
    homes = begun.setdefault("homes", {})
    if what == "at":
        begun["at"] = _shifted(begun["at"], rng.choice([-10, -5, -3, 1, 2, 5, 15]))
    elif what == "drop" and homes:
        del homes[rng.choice(sorted(homes))]
    elif what == "host" and homes:
        homes[rng.choice(sorted(homes))] = rng.choice([*HOSTS, "h9"])
    elif what == "more":
        homes[rng.choice(["a", "b", "c", "w"])] = rng.choice(HOSTS)
    elif homes:
        begun["excused"] = {rng.choice(sorted(homes)): "cannot"}


PLANTS: list[Callable[[Values, random.Random], None]] = [
    shift_step,
    shift_step,
    shift_run,
    change_run,
    change_freed,
    change_begun,
    swap,
    drop_wait,
    add_wait,
    other_host,
    other_gpu,
    other_gpu,
    other_vm,
    other_kind,
    other_mode,
    drop_step,
    twice,
    at_once,
    later_all,
]


def faulty(good: Values, seed: str) -> tuple[Values, list[str]]:
    """The plan with one to three faults in it, and which."""
    rng = random.Random(seed)
    values, planted = deepcopy(good), []
    if rng.random() < 0.5:  # without its waits a plan is as good, and its other faults are not hidden behind them
        for step in values["steps"]:
            step["waits_for"] = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        plant = rng.choice(PLANTS)
        plant(values, rng)
        planted.append(plant.__name__)
        if not values["steps"]:
            break
    return values, planted


def verdicts(night: Night, plan: Plan) -> tuple[list[str], str | None]:
    """What the judge says of a plan, and what the slow replay says."""
    given = (night.cluster, night.holding, night.asked, night.work, plan)
    return TimedReplay(*given).faults, slow_verdict(*given)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_plan_is_silent(name: str) -> None:
    night, values = GOOD[name]()
    assert verdicts(night, parse(Plan, values, name)) == ([], None)


@pytest.mark.parametrize("name", GOOD)
def test_the_judge_and_the_slow_replay_agree_on_every_fault(name: str) -> None:
    night, good = GOOD[name]()
    silent: Counter[bool] = Counter()
    for number in range(FAULTS[name]):
        values, planted = faulty(good, f"{name} {number}")
        faults, slow = verdicts(night, parse(Plan, values, name))
        assert bool(faults) == (slow is not None), (number, planted, faults, slow, values)
        silent[not faults] += 1
    assert silent[True] > FAULTS[name] // 50, silent
    assert silent[False] > FAULTS[name] // 2, silent


def test_more_than_five_thousand_faults_are_planted() -> None:
    assert sum(FAULTS.values()) >= 5000


PLANNED = (
    "two-vms-that-must-swap-do-so-because-one-may-sleep-meanwhile",
    "two-vms-that-must-swap-do-so-because-one-may-be-off-meanwhile",
    "two-vms-that-must-swap-hop-over-an-empty-host-that-is-free-again-after",
    "same-size-gpu-is-emptied-before-it-takes-the-bigger-size",
    "idle-desktops-sleep-through-the-night-where-the-others-leave-no-room",
    "two-nights-do-what-one-cannot",
    "mig-instances-are-gathered-so-that-a-7g-can-train",
    "mig-gpu-is-had-whole-when-its-instances-have-gone-and-the-one-that-may-not-go-keeps-the-other",
    "same-size-a40-is-emptied-and-takes-mixed-sizes-and-all-wake-up-on-it",
    "m60-is-flashed-to-compute-while-the-pass-through-vm-of-the-host-is-off",
    "graphics-m60-are-flashed-to-compute-for-the-night-and-back",
    "desktop-whose-migration-failed-goes-to-another-host-and-the-farm-still-renders",
    "sleeper-is-resumed-at-home-although-its-neighbour-would-not-sleep",
    "rolling-upgrade-goes-on-without-the-host-whose-vm-would-not-move",
    "a-render-farm-leaves-a-host-on-which-the-desktops-would-start-again",
)
"""Stories of which placer's own plan gets faults."""


@pytest.mark.parametrize("name", PLANNED)
def test_they_agree_on_faults_in_what_placer_planned_itself(name: str) -> None:
    story, plan = told(name)
    rules = story.decision.rules_of(story.snapshot.rules)
    jobs, good = plan.asked.jobs if plan.asked else (), json.loads(dump(plan))
    silent: Counter[bool] = Counter()
    for number in range(60):
        values, planted = faulty(good, f"{name} {number}")
        given = (story.snapshot.content, rules, story.request, jobs, parse(Plan, values, name))
        faults, slow = TimedReplay(*given).faults, slow_verdict(*given)
        assert bool(faults) == (slow is not None), (number, planted, faults, slow)
        silent[not faults] += 1
    assert silent[False] > 20, silent
