"""When the instances of a job run in a plan, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from placer.judge.check import broken, worse
from placer.judge.figures import scene_at
from placer.judge.obstacles import Explainer
from placer.judge.timed import TimedReplay
from placer.judge.timeline import CLOCK, EVER, NEVER, told
from placer_models.explanation import Answer
from placer_models.goals.night import finished
from placer_models.night import Job
from placer_models.rules.rule import Rule
from placer_models.scene import Scene
from placer_models.seating import stand_on
from placer_models.words import few

MOST = 5
"""How many hosts or runs of a kind are told one by one."""


def of_job(
    replay: TimedReplay, rules: Sequence[Rule], job: Job, not_freed: Callable[[str], Sequence[str]]
) -> Iterator[Answer]:
    """Where each instance of a job runs, and why others do not; `not_freed` says why a host is not freed."""
    for run in (run for run in replay.timeline.runs if run.job.name == job.name):
        yield Answer(
            question=f"where does instance {run.run.instance} of {job.name} run",
            because=(f"on {run.run.host} from {told(run.start)} until {told(run.end)}",),
        )
    missing = job.instances - len([one for one in finished(job, replay.plan) if one < job.instances])
    if missing > 0:
        what = "is 1 instance" if missing == 1 else f"are {missing} instances"
        because = tuple(_not_run(replay, rules, job, not_freed))
        yield Answer(question=f"why {what} of {job.name} not done", because=because)


def _not_run(
    replay: TimedReplay, rules: Sequence[Rule], job: Job, not_freed: Callable[[str], Sequence[str]]
) -> Iterator[str]:
    """What is wrong with each host: of free ones the time, of others that nobody frees them, or what they lack."""
    cluster, freed = replay.first, list(replay.timeline.freed)
    one = job.vm(f"job/{job.name}")
    explainer = Explainer(Scene(replace(cluster, vms={**cluster.vms, one.name: one})), rules)
    look = explainer.look(one)
    able = set(look.open_to)
    if not freed:
        yield "no host is freed"
    yield from (_no_time(replay, rules, job, host) for host in freed if host in able)
    yield from (sentence for _, _, sentence in explainer.grouped(look.against))
    for host in [host for host in cluster.hosts if host in able and host not in freed][:MOST]:
        why = not_freed(host)
        yield f"{host}: could do it, and is not freed" + (f": {'; '.join(why)}" if why else "")


def _no_time(replay: TimedReplay, rules: Sequence[Rule], job: Job, host: str) -> str:
    """Why a freed host that could do a job does not do another instance."""
    first = EVER if job.not_before is None else CLOCK.seconds(job.not_before)
    last = NEVER if job.deadline is None else CLOCK.seconds(job.deadline)
    hours = [(max(begin, first), min(end, last)) for begin, end in replay.timeline.freed[host]]
    lengths = [max(0, end - begin) for begin, end in hours]
    longest, in_parts = max(lengths, default=0), job.model_copy(update={"checkpointed": True}).done(lengths)
    within = " between its earliest start and its deadline" if job.not_before or job.deadline else ""
    if longest < job.hours * 3600 and not job.checkpointed:
        why = f"{host}: is free for {longest / 3600:.3g} h{within}, and it takes {job.hours:g} h"
        return why + ("; it would be done in parts, and may not be checkpointed" * (in_parts >= job.hours * 3600))
    if in_parts < job.hours * 3600:
        many = f" in {len(lengths)} parts" if len(lengths) > 1 else ""
        return f"{host}: has time for {in_parts / 3600:.3g} h of it{many}{within}, and it takes {job.hours:g} h"
    on = [run for run in replay.timeline.runs if run.run.host == host]
    there = list(dict.fromkeys(f"{run.job.name} {run.run.instance}" for run in on))
    if there:
        return f"{host}: is taken by {few(there, MOST)}"
    said = _breaks(replay, rules, job, host, max(hours, key=lambda one: one[1] - one[0])[0])
    if said:
        return f"{host}: would then break a rule: {'; '.join(said[:MOST])}"
    return f"{host}: is free long enough; the goals, or the least gain, prefer it so"


def _breaks(replay: TimedReplay, rules: Sequence[Rule], job: Job, host: str, instant: int) -> list[str]:
    """What rules would say to another instance of a job on a freed host from an instant on."""
    scene, there = scene_at(replay, instant), replay.first.hosts[host]
    one = job.vm(f"job/{job.name}", there)
    scene.cluster = replace(scene.cluster, vms={**scene.cluster.vms, one.name: one})
    before, stand = broken(scene, rules), stand_on(scene, one, there)
    if stand is None:
        return []
    scene.put(stand)
    return [breach.said for breach in worse(rules, before, broken(scene, rules))]
