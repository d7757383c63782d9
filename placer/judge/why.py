"""Why a plan does what it does with a host, a VM or a job: from the plan, its snapshot and the rules alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from placer.judge.changes import Changes
from placer.judge.delays import why_not_sooner, why_waits
from placer.judge.elsewhere import nowhere_else, refused
from placer.judge.figures import fullest, scene_at
from placer.judge.timed import TimedReplay
from placer.judge.timeline import EVER, Act, spans, told
from placer.judge.verify import asked_of, decision_of
from placer.judge.why_jobs import of_job
from placer_models.cluster import Vm
from placer_models.decision import Decision
from placer_models.document import Faults
from placer_models.explanation import Answer, PlanExplanation
from placer_models.motion import stun_seconds
from placer_models.moving import immovable, never_suspended, stuck, unsuspendable
from placer_models.night import Consolidate, Evacuate
from placer_models.plan import Plan
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot, unknown

DOWN = {"suspend": "suspended", "power-off": "powered off"}
MOST = 5
"""How many VMs or hosts of a kind are gone into one by one."""


def explain_plan(snapshot: Snapshot, plan: Plan, name: str, decision: Decision | None = None) -> PlanExplanation:
    """Why a host is freed or not, why a VM moves, waits, sleeps or stays, why a job runs or not: by its name.

    The decision says which rules hold (default: the shipped one that the plan names). Raises Faults for a name that
    neither the snapshot nor the plan knows, and for a plan that the judge refuses.
    """
    asked = asked_of(snapshot, plan)
    misfits = snapshot.misfits(asked)
    if misfits:
        raise Faults("the plan", misfits)
    why = _Why(snapshot, plan, decision_of(plan, decision))
    jobs = {job.name: job for job in asked.jobs}
    found = PlanExplanation(
        name=name, kind="VM", snapshot_sha256=snapshot.sha256, decision=decision_of(plan, decision).name
    )
    if name in why.cluster.hosts:
        answers, change = why.of_host(name)
        return found.model_copy(update={"kind": "host", "answers": answers, "change": change})
    if name in why.cluster.vms:
        return found.model_copy(update={"answers": tuple(why.of_vm(why.cluster.vms[name]))})
    if name in jobs:
        answers = tuple(of_job(why.replay, why.rules, jobs[name], why.not_freed))
        return found.model_copy(update={"kind": "job", "answers": answers})
    known = [*why.cluster.vms, *why.cluster.hosts, *jobs]
    raise Faults("the name", [unknown("VM, host or job", name, known)])


class _Why:
    """A plan that was replayed, asked about one thing after the other. `night` is its fullest instant."""

    def __init__(self, snapshot: Snapshot, plan: Plan, decision: Decision) -> None:
        asked = asked_of(snapshot, plan)
        self.request = asked.request
        self.rules = decision.rules_of(snapshot.rules)
        self.replay = TimedReplay(snapshot.content, self.rules, asked.request, asked.jobs, plan)
        if self.replay.faults:
            raise Faults("the plan", self.replay.faults)
        self.cluster = self.replay.first
        instant = fullest(self.replay)
        self.night = scene_at(self.replay, EVER if instant is None else instant)
        self.freed = list(self.replay.timeline.freed)
        self.unmoved = {one.vm: one.reasons for one in plan.unmoved}
        self.left_out = {one.host: one.reasons for one in plan.left_out}
        self.acts: dict[str, list[Act]] = {}
        for act in sorted(self.replay.timeline.acts, key=lambda act: (act.start, act.end)):
            if act.step.vm is not None:
                self.acts.setdefault(act.step.vm, []).append(act)

    # hosts

    def of_host(self, name: str) -> tuple[tuple[Answer, ...], str | None]:
        """Why a host is free when it is, or why it is not; in the second case what would have to be otherwise."""
        if name in self.freed:
            return tuple(self._free(name)), None
        kept = {stand.vm: self.keeps(stand) for stand in self._there(name)}
        because = [*self._never(name)]
        because += [f"{vm}: {'; '.join(reasons)}" for vm, reasons in kept.items() if reasons]
        other = [vm for vm, reasons in kept.items() if not reasons]
        if other:
            shown = ", ".join(other[:MOST]) + (f" and {len(other) - MOST} more" if len(other) > MOST else "")
            because.append(f"{shown}: could go" + (", each by itself" if len(other) > 1 else ""))
        because += [f"{vm} comes there {when}" for vm, when in self._guests(name)]
        because += [f"{name} {why}" for why in self.left_out.get(name, ()) if not why.startswith("is kept by")]
        keepers = [vm for vm, reasons in kept.items() if reasons]
        question = f"why is {name} not {'put in maintenance' if isinstance(self.request, Evacuate) else 'freed'}"
        return (Answer(question=question, because=tuple(because)),), self._change(keepers)

    def _free(self, host: str) -> Iterator[Answer]:
        for begin, end in self.replay.timeline.freed[host]:
            acts = [act for acts in self.acts.values() for act in acts]
            last = [act for act in acts if act.step.leaves == host and act.end == begin]
            first = [act for act in acts if act.step.reaches == host and act.start == end]
            because = [f"{act.step.vm} is the last to leave it (step {act.step.id})" for act in last]
            because += [f"{act.step.vm} is the first to come to it (step {act.step.id})" for act in first]
            runs = [run for run in self.replay.timeline.runs if run.run.host == host and begin <= run.start < end]
            because += [
                f"instance {run.run.instance} of {run.job.name} runs there from {told(run.start)} until {told(run.end)}"
                for run in runs
            ]
            because += [] if runs else ["no job runs there"]
            yield Answer(question=f"when is {host} free: from {told(begin)} until {told(end)}", because=tuple(because))

    def _there(self, host: str) -> list[Stand]:
        """The VMs of the cluster that stand on a host in the night, and did so before."""
        before = {stand.vm for stand in scene_at(self.replay, EVER).on(host)}
        return [stand for stand in self.night.on(host) if stand.vm in before]

    def _guests(self, host: str) -> Iterator[tuple[str, str]]:
        """Those who come to a host from another one, and when."""
        for vm, acts in self.acts.items():
            act = next((act for act in acts if act.step.reaches == host), None)
            if act is not None and self.replay.home(self.cluster.vms[vm]) != host:
                yield vm, f"at {told(act.end)} ({act.step.why or act.step.kind})"

    def _never(self, host: str) -> Iterator[str]:
        """What speaks against a host whoever stands on it."""
        known = self.cluster.hosts[host]
        if known.state != "up":
            yield f"{host} is {'in maintenance already' if known.state == 'maintenance' else known.state}"
        match self.request:
            case Consolidate() as request:
                if not request.names_host(known):
                    yield f"{host} is outside the scope of the request"
                if isinstance(request.free, tuple) and host not in request.free:
                    yield f"the request names the hosts to free, and {host} is not among them"
                if isinstance(request.free, int) and len(self.freed) >= request.free:
                    yield f"as many hosts are freed as were asked for ({request.free}): {', '.join(self.freed[:MOST])}"
            case Evacuate() as request:
                if host not in request.hosts:
                    yield f"nobody asked for {host}"
            case _:
                yield "nobody asked for free hosts"

    def keeps(self, stand: Stand) -> tuple[str, ...]:
        """What keeps a VM from leaving its host, whatever is done for the others there; nothing: it could go."""
        known = self.unmoved.get(stand.vm, ())
        if known and not known[0].startswith("could go"):
            return known
        vm = self.cluster.vms[stand.vm]
        if any(rule.pins(vm) for rule in self.rules):
            return ("must stay where it is",)
        if self._may_be_down(vm, stand):
            return ()
        never = tuple(stuck(self.cluster, vm, stand, why) for why in self._no_migration(vm, stand))
        return never or nowhere_else(self.night, self.rules, stand, self.freed)

    def _may_be_down(self, vm: Vm, stand: Stand) -> bool:
        return vm.may.power_cycle or unsuspendable(self.cluster, vm, stand) is None

    def _no_migration(self, vm: Vm, stand: Stand) -> tuple[str, ...]:
        """Why a VM cannot be live-migrated to any host whatever."""
        why = immovable(self.cluster, vm, stand)
        stun, limits = stun_seconds(self.cluster, vm), (self.request.limits.stun_seconds, vm.stun_limit_seconds)
        most = min((limit for limit in limits if limit is not None), default=None)
        if why is None and most is not None and stun > most:
            why = f"would be stunned for {stun:g} s, and may be for {most:g} s"
        return () if why is None else (why,)

    def _change(self, keepers: Sequence[str]) -> str | None:
        """The least that would have to be otherwise for all of these to leave, as far as is known."""
        if not keepers:
            return None
        said = [self._let_go(self.night.of(vm)[0]) for vm in keepers[:MOST]]
        more = f"; and likewise for {len(keepers) - MOST} more" if len(keepers) > MOST else ""
        return "; ".join(said) + more

    def _let_go(self, stand: Stand) -> str:
        vm = self.cluster.vms[stand.vm]
        if any(rule.pins(vm) for rule in self.rules):
            return f"let {vm.name} leave its host, which a rule forbids"
        down = "be suspended"
        if never_suspended(self.cluster, stand):
            down = "be powered off for the time"
        if not nowhere_else(self.night, self.rules, stand, self.freed):
            stun = stun_seconds(self.cluster, vm)
            if not vm.may.live_migrate and down == "be suspended":
                return f"let {vm.name} be live-migrated"
            if immovable(self.cluster, vm, stand) is None and self._no_migration(vm, stand):
                return f"let {vm.name} stand still for {stun:g} s"
        elif immovable(self.cluster, vm, stand) is None:
            change = self._makes_room(vm, stand)
            if change is not None:
                return f"{change}, so that {vm.name} finds room; or let {vm.name} {down}"
        return f"let {vm.name} {down}"

    def _makes_room(self, vm: Vm, stand: Stand) -> str | None:
        """A change on another host that lets a VM in there; nobody goes to hosts that are to be free."""
        out = {stand.host, *self.freed}
        shut = {name: self.cluster.hosts[name].model_copy(update={"state": "maintenance"}) for name in out}
        cluster = replace(self.night.cluster, hosts={**self.night.cluster.hosts, **shut})
        scene = Scene(cluster, (other for other in self.night.stands() if other.vm != stand.vm))
        far = {host for hosts in refused(self.cluster, stand).values() for host in hosts}
        rules = [rule for rule in self.rules if not rule.soft]
        return Changes(scene, rules, scene).smallest(vm, [host for host in cluster.hosts if host not in out | far])

    def not_freed(self, host: str) -> list[str]:
        """Why a host is not freed, in short."""
        kept = [stand.vm for stand in self._there(host) if self.keeps(stand)]
        return [f"is kept by {', '.join(kept[:3])}"] if kept else [*self._never(host), *self.left_out.get(host, ())]

    # VMs

    def of_vm(self, vm: Vm) -> Iterator[Answer]:
        """Why a VM waits, sleeps, goes where it goes, or stays."""
        acts = [act for act in self.acts.get(vm.name, ()) if not self.replay.midway.is_told(act)]
        by_id = {act.step.id: act for act in self.replay.timeline.acts}
        begins = {begin for begin, _ in spans(self.request.windows)}
        for act in acts:
            what = f"{act.step.kind} at {told(act.start)}"
            if act.step.kind in DOWN:
                yield Answer(
                    question=f"why is {vm.name} {DOWN[act.step.kind]} and not moved ({what})",
                    because=self._why_down(vm, act),
                )
            elif act.step.leaves is not None and act.step.reaches != self.replay.home(vm):
                yield Answer(
                    question=f"why does {vm.name} leave {act.step.leaves} for {act.step.reaches} ({what})",
                    because=(act.step.why or "the plan does not say",),
                )
            waits = [by_id[name] for name in act.step.waits_for if name in by_id]
            for other in waits:
                who = other.step.vm or other.step.job or other.step.host
                because = why_waits(self.replay, self.rules, act, other)
                yield Answer(question=f"why does {vm.name} wait for {who} ({what})", because=tuple(because))
            if not waits and act.start not in begins:
                because = why_not_sooner(self.replay, self.rules, act) or list(self._late(vm, act, acts))
                if because:
                    yield Answer(
                        question=f"why does {vm.name} not {act.step.kind} before {told(act.start)}",
                        because=tuple(because),
                    )
        excused = self.replay.midway.excused.get(vm.name)
        if excused is not None:
            yield Answer(question=f"why is {vm.name} not back when it is due", because=(excused,))
        if not acts:
            yield self._stays(vm)

    def _late(self, vm: Vm, act: Act, acts: Sequence[Act]) -> Iterator[str]:
        """Why a step home comes so late: its host is to be free as long as may be."""
        if act is acts[-1] and act.step.reaches == self.replay.home(vm):
            yield f"it comes back as late as may be, so that {act.step.reaches} is free the longer"

    def _why_down(self, vm: Vm, act: Act) -> tuple[str, ...]:
        (stand,) = [
            one.stand
            for one in self.replay.history
            if one.stand.vm == vm.name and one.stand.host == act.step.leaves and one.end == act.end
        ]
        reasons = self._no_migration(vm, stand)
        if reasons:
            return (f"it {reasons[0]}",)
        scene = scene_at(self.replay, act.end)
        for other in scene.of(vm.name):  # it may run again at that instant
            scene.remove(other)
        scene.put(stand)
        reasons = nowhere_else(scene, self.rules, stand, [host for host in self.freed if host != stand.host])
        return reasons or (act.step.why or "the goals are met best so",)

    def _stays(self, vm: Vm) -> Answer:
        question = f"why does {vm.name} stay where it is"
        stands = self.night.of(vm.name)
        if not stands:
            return Answer(question=question, because=(f"it is {vm.power}, and stays so",))
        (stand,) = stands
        reasons = self.keeps(stand)
        if reasons:
            return Answer(question=question, because=reasons)
        if stand.host in self.left_out:
            return Answer(question=question, because=tuple(f"{stand.host} {why}" for why in self.left_out[stand.host]))
        never = tuple(self._never(stand.host))
        return Answer(question=question, because=never or (f"nothing is gained by its leaving {stand.host}",))
