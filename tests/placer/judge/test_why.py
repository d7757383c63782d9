"""Why a plan frees a host or does not, lets a VM wait, sleep or stay, and runs a job or does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from placer import Snapshot, explain_plan
from placer.judge.elsewhere import nowhere_else
from placer_models.cluster import May
from placer_models.decision import shipped_decision
from placer_models.document import Faults
from placer_models.explanation import PlanExplanation
from placer_models.plan import Plan
from placer_models.scene import Scene
from tests.night_stories import STORIES, told
from tests.placer.test_consolidate import NOT_ESX03, desk, host, night, same_size_swap

TWO = [host("esx01"), host("esx02")]
PINNED = desk("cad-1", "esx01", live_migrate=False)


def why(made: tuple[Snapshot, Plan], name: str) -> dict[str, tuple[str, ...]]:
    """The answers about a name, by their questions up to the brackets."""
    found = explain_plan(*made, name)
    return {answer.question.partition(" (")[0]: answer.because for answer in found.answers}


def change(made: tuple[Snapshot, Plan], name: str) -> str | None:
    """What would free a host."""
    return explain_plan(*made, name).change


def freed_if(vms: list[dict[str, Any]], vm: str, **changed: Any) -> list[str]:
    """The hosts that a plan frees when one VM is otherwise."""
    _, plan = night(TWO, [one | changed if one["name"] == vm else one for one in vms], [], free=["esx01"])
    return [one.host for one in plan.freed]


# --- hosts ----------------------------------------------------------------------------------------------------------


def test_each_vm_that_keeps_a_host_is_named_with_its_own_reason() -> None:
    vms = [PINNED, desk("slow", "esx01", slot=1) | {"stun_limit_seconds": 1}, desk("quick", "esx01", slot=2)]
    made = night(TWO, vms, [], free=["esx01"])
    because = why(made, "esx01")["why is esx01 not freed"]
    assert because[0] == "cad-1: may not be live-migrated, nor suspended or stopped"
    assert because[1].startswith("slow: would be stunned for 7 s, and may be for 1 s")
    assert because[2] == "quick: could go"
    assert change(made, "esx01") == "let cad-1 be live-migrated; let slow stand still for 7 s"


def test_the_change_that_is_told_frees_the_host() -> None:
    vms = [PINNED, desk("desk", "esx02", slot=1)]
    made = night(TWO, vms, [], free=["esx01"])
    assert change(made, "esx01") == "let cad-1 be live-migrated"
    assert freed_if(vms, "cad-1") == []
    assert freed_if(vms, "cad-1", may={"live_migrate": True}) == ["esx01"]


def test_where_there_is_no_room_the_change_says_who_would_make_some() -> None:
    full = [desk(f"full-{i}", "esx02", f"g{i // 4}", i % 4) for i in range(8)]
    made = night(
        [*TWO, host("esx03", cpus=2)],
        [desk("a", "esx01") | {"cpus": 4}, *full],
        [],
        free=["esx01"],
        limits={"most_moves": 3},
    )
    because = why(made, "esx01")["why is esx01 not freed"]
    assert because[0].startswith("a: esx02: no room for M60-2Q")
    assert "esx03: 2 CPUs free, 4 asked" in because[0]
    assert change(made, "esx01") == "move full-0 from esx02 to esx03, so that a finds room; or let a be suspended"


def test_without_another_host_of_its_kind_a_vm_would_have_to_sleep() -> None:
    made = night([host("esx01"), host("esx02", vgpu_manager="570")], [desk("a", "esx01")], [], free=["esx01"])
    assert why(made, "esx01")["why is esx01 not freed"][0] == "a: esx02: vGPU manager 570 is not unknown"
    assert change(made, "esx01") == "let a be suspended"


def test_a_free_host_says_who_left_it_last_and_by_whom_it_is_used() -> None:
    made = night(TWO, [desk("a", "esx01")], [{"name": "farm", "hours": 6, "whole_host": True}], free=["esx01"])
    ((question, because),) = why(made, "esx01").items()
    assert question.startswith("when is esx01 free: from 2026-11-20T21:00:19Z until 2026-11-21T05:29:41Z")
    assert because[0] == "a is the last to leave it (step e1)"
    assert because[1] == "a is the first to come to it (step m1)"
    assert because[2].startswith("instance 0 of farm runs there from 2026-11-20T21:00:19Z")


@pytest.mark.parametrize(
    ("asks", "sentence"),
    [
        ({"free": ["esx01"]}, "the request names the hosts to free, and {} is not among them"),
        ({"free": 1}, "as many hosts are freed as were asked for (1): "),
        ({"host_labels": {"rack": "r1"}}, "{} is outside the scope of the request"),
    ],
    ids=["named", "counted", "scope"],
)
def test_a_host_that_nobody_asked_for_says_so(asks: dict[str, Any], sentence: str) -> None:
    hosts = [host("esx01", labels={"rack": "r1"}), host("esx02", labels={"rack": "r1"}), host("esx03")]
    made = night(hosts, [desk("a", "esx01"), desk("b", "esx03"), desk("c", "esx02", slot=1)], [], **asks)
    freed = {one.host for one in made[1].freed}
    name = next(one for one in ("esx03", "esx02") if one not in freed)
    assert any(sentence.format(name) in said for said in why(made, name)[f"why is {name} not freed"])


# --- VMs ------------------------------------------------------------------------------------------------------------


def test_a_vm_waits_for_the_slot_that_another_one_holds() -> None:
    hosts, vms = same_size_swap(131072, live_migrate=True, suspend=True)
    snapshot, plan = night(hosts, vms, [], NOT_ESX03, free=["esx01"])
    step = next(step for step in plan.steps if step.vm == "a" and step.waits_for)
    others = [next(one for one in plan.steps if one.id == name) for name in step.waits_for]
    found = why((snapshot, plan), "a")
    for other in others:
        because = found[f"why does a wait for {other.vm}"]
        assert all(said.startswith(f"until {other.vm} has left esx02 at ") for said in because)
        assert any("GPU g0" in said for said in because)


def test_a_vm_that_waits_for_its_turn_names_the_limit_and_who_has_it() -> None:
    made = night(TWO, [desk("a", "esx01"), desk("b", "esx01", slot=1)], [], free=["esx01"])
    first, second = (step for step in made[1].steps if step.leaves == "esx01")
    because = why(made, str(second.vm))[f"why does {second.vm} not migrate before 2026-11-20T21:00:19Z"]
    assert because[0].endswith(
        f" has as many migrations under way as may be at once, {first.vm} until 2026-11-20T21:00:19Z"
    )
    assert [key for key in why(made, str(first.vm)) if "before 2026-11-20" in key] == []


def test_a_vm_that_comes_home_late_lets_its_host_be_free_the_longer() -> None:
    made = night(TWO, [desk("a", "esx01")], [], free=["esx01"])
    because = why(made, "a")["why does a not migrate before 2026-11-21T05:29:41Z"]
    assert because == ("it comes back as late as may be, so that esx01 is free the longer",)


def test_a_vm_is_suspended_because_no_host_has_room_or_because_it_may_not_move() -> None:
    full = [desk(f"full-{i}", "esx02", f"g{i // 4}", i % 4) for i in range(8)]
    idle = desk("idle", "esx01", live_migrate=True, suspend=True)
    other = desk("other", "esx01", slot=1, suspend=True)
    made = night(TWO, [*full, idle, other], [], free=["esx01"])
    assert why(made, "idle")["why is idle suspended and not moved"][0].startswith("esx02: no room for M60-2Q")
    assert why(made, "other")["why is other suspended and not moved"] == ("it may not be live-migrated",)


def test_a_vm_that_leaves_at_once_and_for_good_says_what_for() -> None:
    made = night(TWO, [desk("a", "esx01")], [], free=["esx01"], way_back="none")
    assert why(made, "a") == {"why does a leave esx01 for esx02": ("frees esx01",)}


def test_a_vm_that_stays_says_what_keeps_it_or_that_nothing_is_gained() -> None:
    made = night(TWO, [PINNED, desk("b", "esx02")], [], free=["esx02"])
    assert why(made, "cad-1")["why does cad-1 stay where it is"] == (
        "may not be live-migrated, nor suspended or stopped",
    )
    short = night([*TWO, host("esx03")], [desk("a", "esx01"), desk("b", "esx02", slot=1)], [], free=["esx02"])
    assert why(short, "a")["why does a stay where it is"] == (
        "the request names the hosts to free, and esx01 is not among them",
    )


def test_a_vm_that_runs_again_as_soon_as_it_is_off_says_why_it_was() -> None:
    full = [desk(f"full-{i}", "esx02", f"g{i // 4}", i % 4) for i in range(8)]
    snapshot, plan = night(TWO, [*full, desk("idle", "esx01", suspend=True)], [], free=["esx01"])
    off, on = (step for step in plan.steps if step.vm == "idle")
    at_once = on.model_copy(update={"start": off.end, "end": off.end + (on.end - on.start)})
    free = plan.freed[0].model_copy(update={"until": off.end})
    plan = plan.model_copy(update={"steps": (off, at_once), "freed": () if free.from_ >= free.until else (free,)})
    assert why((snapshot, plan), "idle")["why is idle suspended and not moved"] == ("it may not be live-migrated",)
    swift = snapshot.with_parts(
        vms=tuple(vm.model_copy(update={"may": May(live_migrate=True, suspend=True)}) for vm in snapshot.vms)
    )
    assert why((swift, plan), "idle")["why is idle suspended and not moved"][0].startswith("esx02: no room for M60-2Q")


def test_who_is_on_the_move_has_room_on_the_host_to_which_it_goes() -> None:
    snapshot, _ = night(TWO, [desk("a", "esx01")], [])
    scene, rules = Scene.now(snapshot.content), shipped_decision("consolidate").rules_of(())
    (stand,) = scene.of("a")
    scene.put(replace(stand, host="esx02"))
    assert nowhere_else(scene, rules, stand) == ()
    assert len(scene.of("a")) == 2


# --- jobs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        ({"hours": 9}, "esx01: is free for 8.49 h, and it takes 9 h"),
        ({"hours": 9, "checkpointed": True}, "esx01: has time for 8.49 h of it, and it takes 9 h"),
        ({"hours": 2, "deadline": "2026-11-20T22:00:00Z"}, "esx01: is free for 0.995 h between its earliest start"),
        ({"hours": 6, "instances": 2, "whole_host": True}, "esx01: is taken by farm 0"),
        ({"hours": 1, "cpus": 40}, "2 hosts: at most 32 CPUs free, 40 asked"),
        ({"hours": 6, "instances": 2, "whole_host": True}, "esx02: could do it, and is not freed"),
    ],
    ids=["too long", "too long in parts", "deadline", "taken", "too big", "another host"],
)
def test_a_job_that_is_not_done_says_what_each_host_lacks(job: dict[str, Any], sentence: str) -> None:
    made = night(TWO, [desk("a", "esx01"), desk("b", "esx02", slot=1)], [{"name": "farm", **job}], free=["esx01"])
    found = why(made, "farm")
    (because,) = (said for question, said in found.items() if question.startswith("why "))
    assert any(said.startswith(sentence) for said in because), because


def test_a_job_that_two_nights_could_do_says_that_it_may_not_be_stopped() -> None:
    nights = [{"from": "22:00", "until": "06:30", "zone": "Europe/Berlin", "first": "2026-11-20", "nights": 2}]
    made = night(TWO, [desk("a", "esx01")], [{"name": "farm", "hours": 12}], free=["esx01"], windows=nights)
    assert why(made, "farm")["why is 1 instance of farm not done"] == (
        "esx01: is free for 8.49 h, and it takes 12 h; it would be done in parts, and may not be checkpointed",
        "esx02: could do it, and is not freed: the request names the hosts to free, and esx02 is not among them",
    )


# --- all of it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in STORIES if not name.startswith("ninety")])
def test_of_every_story_everything_can_be_asked_and_nothing_is_unanswered(name: str) -> None:
    story, plan = told(name)
    assert plan.asked is not None
    names = [*story.snapshot.content.hosts, *story.snapshot.content.vms, *(job.name for job in plan.asked.jobs)]
    for one in names:
        found: PlanExplanation = explain_plan(story.snapshot, plan, one)
        assert found.answers, one
        assert all(answer.because for answer in found.answers), (one, found)


def test_a_name_that_nothing_has_is_refused_with_the_nearest_one() -> None:
    made = night(TWO, [desk("desk-1", "esx01")], [])
    with pytest.raises(Faults, match="found 'desk-2', expected a VM, host or job of this snapshot"):
        explain_plan(*made, "desk-2")


def test_a_plan_that_the_judge_refuses_is_not_explained() -> None:
    snapshot, plan = night(TWO, [desk("a", "esx01")], [], free=["esx01"])
    with pytest.raises(Faults, match="does not run on esx01"):
        explain_plan(snapshot, plan.model_copy(update={"steps": plan.steps[:1]}), "a")
