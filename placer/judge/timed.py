"""Plays a timed plan (`placer.plan/1`), and says everything that is wrong with it: what a plan means is defined here.

**Time.** All times are whole seconds, and everything lasts from its start until just before its end: at one instant,
what ends has ended before anything starts. What starts at the same instant starts in the order of the plan's lists,
steps before job runs. Where the manager picks slots, a plan names the first legal ones, or holds whatever legal ones
it picks (`worst-case`). Steps have unique ids; the steps in `waits_for` have ended when a step starts. Every step but
those of jobs lies wholly in one of the request's windows (windows that touch are one), none before `at`.

**VMs.** Only VMs that run in the snapshot are touched, on a consolidation only those of its scope, one step of a VM at
a time, each lasting at least what `placer_models.motion` says. Who is off or suspended in the snapshot stays so.

- *migrate*: the VM stands on both hosts from start to end. Not where `moving` or a rule's `pins` refuses it, or where
  the stun is above the limit of the request or of the VM.
- *suspend*: it stands until the end. It must be allowed (`may.suspend`), and nothing passed through. Its state is in
  the store from the start of the suspension until the end of the resumption.
- *resume*: it stands from the start. On another host only where it could be migrated to.
- *power-off*, *power-on*: it stands until the end, from the start; `may.power_cycle`. It may start on any host.

**Hosts.** From the start of enter-maintenance until the end of leave-maintenance nothing stands on the host; it always
leaves. restart-host lies between the two (or the host was in maintenance before), with nobody there. A GPU named by
set-mode is empty from start to end; for another firmware mode the host is in maintenance, and the GPU of no use before
a later restart.
An evacuation puts only its hosts in maintenance: at most `at_once`, each for its `minutes`, and in order where that is
asked; a host that it leaves out is no fault, the goals count it. A consolidation that has a way back leaves its GPUs
in the mode and sharing in which it found them.

**Jobs.** A run of an instance stands on its host like a VM `job/<job>/<instance>`, whole-host runs alone, and as big as
the host. A run begins with one start-job step and ends with one stop-job step, keeps `not_before` and `deadline`, and
lies in one freed interval of its host. An instance has one run of at least the job's hours; a checkpointed one may have
several, one after the other, on whatever hosts; they may do too little of it (`Job.done`: then it has no value).

**Freed.** No VM of the cluster stands on the host in the interval, which on a consolidation lies wholly in a window.
With `least_gain`, a freed host that the request does not name, and that VMs had to leave, has runs of that much value:
of an instance with several runs as much as is their part of its time.

**Rules** of `always` hold at every instant, the others whenever no step is under way and at the end: nothing is more
broken than it was at the beginning. Who has left a host that is not up does not come back to it.

**Way back.** Each VM that runs in the snapshot runs again when it is due: on its first host and at rest (same-host), on
any host (any-host); with `none` nobody is due. Due is its own `ready_by`, else the request's, from then to the end of
the window in which that is, and at the end of every later window; without either, at the end of every window.

**Mid-way.** A plan that goes on with another one in the midst of a night says since when (`asked.begun.at`), and the
snapshot is of that instant. What has ended by then is told, and not played: no more is asked of it than that its
migrations count, and its steps of hosts. A step or run that began before goes on, until its planned end: the snapshot
shows its VM as it was before the step. A run that began before may be stopped at any time. VMs in `begun.homes` had
their first host there; those of them that are not on were suspended, or powered off, on the host that the told steps
say, else there. VMs in `begun.excused` are not due.
What was broken with every VM of `begun.homes` there may be so again, as what is broken in the snapshot may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from placer.judge import night_limits
from placer.judge.check import broken, larger, worse
from placer.judge.host_times import HostTimes
from placer.judge.midway import Midway
from placer.judge.stage import Stage
from placer.judge.timeline import CLOCK, EVER, VM_STEPS, Act, Run, Timeline, told
from placer_models.cluster import Cluster
from placer_models.goals.night import NIGHT_GOALS
from placer_models.night import Job, Request
from placer_models.plan import Breach, Plan
from placer_models.rules.host_state import HostState
from placer_models.rules.rule import Rule


class TimedReplay(Stage):
    """One run through a night's plan.

    `faults` are sentences, each of which names the step, run or host at fault. `history` says who stood where and
    when; `host_times` when hosts were in maintenance; `score` recounts every goal of a night. `at` is when the plan is
    to be begun: nothing may start before it.
    """

    def __init__(
        self,
        cluster: Cluster,
        rules: Sequence[Rule],
        request: Request,
        jobs: Sequence[Job],
        plan: Plan,
        *,
        at: datetime | None = None,
    ) -> None:
        self.plan = plan
        midway = Midway(cluster, plan)
        timeline = Timeline(midway.cluster, jobs, plan)
        host_times = HostTimes(midway.cluster, request, timeline.acts, midway.at)
        super().__init__(request, rules, midway, timeline, host_times, EVER if at is None else CLOCK.seconds(at))
        self._always = [rule for rule in rules if rule.always]
        if not any(isinstance(rule, HostState) for rule in rules):
            self._always.append(HostState())
        self._resting = [rule for rule in rules if not rule.always]
        self._first_always, self._first_resting = self._at_first(self._always), self._at_first(self._resting)
        self._said: set[tuple[str, tuple[str, ...], int]] = set()
        self._changed: set[str] = set()
        """The hosts that changed since the rules that hold at rest were last asked."""
        self._play()
        self.close()
        self.faults.extend(night_limits.faults(self, jobs))
        self.score = {goal.label: goal.score(self.first, request, jobs, plan) for goal in NIGHT_GOALS.values()}

    # --- playing ------------------------------------------------------------------------------------------------------

    def _play(self) -> None:
        acts = [act for act in self.timeline.acts if act.step.kind in VM_STEPS and not self.midway.is_told(act)]
        runs = [run for run in self.timeline.runs if not self.midway.is_told(run)]
        starting: dict[int, list[Act | Run]] = defaultdict(list)
        ending: dict[int, list[Act | Run]] = defaultdict(list)
        under_way: dict[int, int] = defaultdict(int)  # steps of any kind: what starts and ends when
        both: list[Act | Run] = [*acts, *runs]
        for one in both:
            starting[one.start].append(one)
            ending[one.end].append(one)
        for act in self.timeline.acts:
            under_way[act.start] += 1
            under_way[act.end] -= 1
        instants = {*starting, *ending, *under_way, *self.host_times.instants()}
        instants |= {self.midway.at} - {EVER}
        count, touched = 0, set[str]()
        for instant in sorted(instants):
            for one in ending[instant]:
                touched.update(self.end(one))
            changed = self.host_times.changed(instant, self.cluster)
            if changed:
                self.scene.cluster = replace(self.cluster, hosts={**self.cluster.hosts, **changed})
                touched |= changed.keys()
            for one in starting[instant]:
                touched.update(self.start(one))
            self._changed |= touched
            count += under_way[instant]
            if instant < self.midway.at:  # what was then is told, and not judged
                continue
            what = ", ".join(one.path for one in (starting[instant] or ending[instant])[:3])
            self._judge(f"{told(instant)}, {what}" if what else told(instant), touched, at_rest=count == 0)
            touched = set()

    # --- judging ------------------------------------------------------------------------------------------------------

    def _broken(self, rules: Sequence[Rule], hosts: Collection[str] | None = None) -> list[list[Breach]]:
        return broken(self.scene, rules, hosts)

    def _at_first(self, rules: Sequence[Rule]) -> list[list[Breach]]:
        """What may be broken, because it was: in the snapshot, or as the night began."""
        before = self.midway.broken_before(self.scene, rules)
        return [larger(*both) for both in zip(self._broken(rules), before, strict=True)]

    def _judge(self, path: str, touched: Collection[str], *, at_rest: bool) -> None:
        if touched:
            found = worse(self._always, self._first_always, self._broken(self._always, sorted(touched)))
            self._say(path, (breach for breach in found if not self._beside_a_whole_host(breach)))
        if at_rest and self._changed:
            self._say(
                path, worse(self._resting, self._first_resting, self._broken(self._resting, sorted(self._changed)))
            )
            self._changed = set()

    def _beside_a_whole_host(self, breach: Breach) -> bool:
        """Whether a host is over-full because one stands beside a run that fills it: `night_limits` says who."""
        if breach.rule != "capacity":
            return False
        host = breach.subject[0]
        filled = any(run.job.whole_host and run.run.host == host for run in self._running)
        return filled and len(list(self.scene.on(host))) > 1

    def _say(self, path: str, breaches: Iterable[Breach]) -> None:
        """Say breaches, each once for as long as it is the same."""
        for breach in breaches:
            key = (breach.rule, breach.subject, breach.amount)
            if key not in self._said:
                self._said.add(key)
                self.faults.append(f"{path}: {breach.said}")
