"""The night's target: which VMs move where, which are suspended or stopped, and which hosts are emptied for which jobs.

The board of class x host counts, with two things more: a class may also be *away* (suspended, or powered off), and a
host may be *emptied*. Jobs are counted by host (`z` instances over the night): what they take of an emptied host,
times how long they run, is at most what the host has, times how long it is free. That is a relaxation of their
schedule (exact for jobs that want whole hosts), so the bound on job value holds for every plan; `jobs.py` then gives
them their hours. Of a job that may be done in parts the seconds are counted by host, and the instances in all.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

from placer.solve.board import CountBoard
from placer.solve.least import Resource, resources_of
from placer.solve.movers import Movers
from placer.solve.survey import Survey
from placer.solve.target import JobOn, NightAsk, Target, Ways
from placer.solve.ticks import post_ticks
from placer_models.rules.rule import Place, Rule, Term, Var, VmClass
from placer_models.scene import Scene, Stand


class NightBoard(CountBoard):
    """A board on which VMs may also be away, and hosts be emptied for jobs. `hosts` are those about which something is
    decided (default: all). Raises TooLarge where more than `most` unknowns would come about.
    """

    def __init__(
        self,
        scene: Scene,
        rules: Sequence[Rule],
        ask: NightAsk,
        hosts: Collection[str] | None = None,
        *,
        survey: Survey | None = None,
        most: int | None = None,
    ) -> None:
        self._ask = ask
        self._resources = resources_of(scene.cluster)
        self.target = Target()
        movable = {name for name, ways in ask.ways.items() if not ways.fixed}
        super().__init__(scene, rules, (), {}, movable, hosts, survey=survey, most=most)
        self._empty: dict[str, Var] = {}
        self._jobs: dict[tuple[str, str], Var] = {}
        self._done: dict[str, list[Term]] = {}
        self._free_hosts()
        self.leaders = list(self._empty.values())
        if ask.drain:
            self._only_drain()
        self._offer_jobs()
        self._bound_night()

    def _like(self, stand: Stand) -> Hashable:
        return super()._like(stand), self._ask.ways[stand.vm]

    def _travels(self, stand: Stand, host: str) -> bool:
        ways = self._ask.ways[stand.vm]
        travels = (ways.migrate or ways.carry is not None) and host not in ways.not_to
        return travels and super()._travels(stand, host)

    def _away(self, stand: Stand, size: int) -> dict[str, Var]:
        return {way: self.integer(size, f"{stand.vm} {way}") for way, _ in self._ask.ways[stand.vm].away}

    def _free_hosts(self) -> None:
        """An emptied host has no VM. Said of the room, too: it is what lets the search see how many must stay open."""
        for place in self._places:
            name, here = place.host.name, self._here[place.host.name]
            if name not in self._ask.may_free or any(vms.fixed for vms, _ in here):
                continue
            empty = self._empty[name] = self.integer(1, f"{name} empty")
            for vms, count in here:
                most = min(len(vms.names), *self._fitting(vms, place)) if vms.moving else len(vms.names)
                self.at_most([(1, count), (most, empty)], most, eased=False)
            for resource in self._resources:
                if not self._overfull(name, resource):
                    full = [(resource.amount(vms.vm), count) for vms, count in here]
                    room = resource.room(place.host)
                    self.at_most([*full, (room, empty)], room, eased=False)
        for resource in self._resources:
            self._open_enough(resource)

    def _only_drain(self) -> None:
        """Whoever stands on a host that is not emptied stays there."""
        for movers in self._movers:
            for vms, place, stay in movers.stay:
                size, empty = len(vms.names), self._empty.get(place.host.name, 0)
                self.at_most([(-1, stay), (-size, empty)], -size, eased=False)

    def _fitting(self, vms: VmClass, place: Place) -> list[int]:
        """How many VMs of a class have room on a host by each resource, if nothing else stands there."""
        found = [room(place.host) // amount(vms.vm) for _, room, amount in self._resources if amount(vms.vm)]
        return found or [len(vms.names)]

    def _open_enough(self, resource: Resource) -> None:
        """A redundant cut: what stays open has room for what stands."""
        hosts = [place.host for place in self._places]
        if not self._empty or any(self._overfull(host.name, resource) for host in hosts):
            return
        _, room, amount = resource
        terms: list[Term] = [(room(host), self._empty[host.name]) for host in hosts if host.name in self._empty]
        terms += [(amount(vms.vm), count) for host in hosts for vms, count in self._here[host.name]]
        self.at_most(terms, sum(map(room, hosts)), eased=False)

    def _overfull(self, host: str, resource: Resource) -> bool:
        """Whether more stands on a host now than it has room for (then the cut would not hold)."""
        stands = sum(resource.amount(self.scene.cluster.vms[stand.vm]) for stand in self.scene.on(host))
        return stands > resource.room(self.scene.cluster.hosts[host])

    def _offer_jobs(self) -> None:
        """What the jobs of a pool take in all is at most what its emptied hosts have in all."""
        work = self._ask.work
        by_job: dict[str, list[Term]] = defaultdict(list)
        for pool, spots in self._pools().items():
            hosts = {spot.host: self._empty[spot.host] for spot in spots}
            mine: dict[str, list[JobOn]] = defaultdict(list)
            for spot in spots:
                mine[spot.job].append(spot)
            taken: dict[str, list[Term]] = defaultdict(list)
            gains: list[Term] = []
            for job, some in mine.items():
                most = sum(spot.most for spot in some)
                most = most if job in work.parts else min(most, work.instances[job])
                count = self._jobs[(job, pool)] = self.integer(most, f"{job} on {pool}")
                self.at_most([(1, count), *((-spot.most, hosts[spot.host]) for spot in some)], 0, eased=False)
                by_job[job].append((1, count))
                gains.append((-self._gain_of(job), count))
                for resource, amount in work.amounts[(job, some[0].host)].items():
                    taken[resource].append((amount, count))
            for resource, terms in taken.items():
                unit = math.gcd(*(amount for amount, _ in terms)) or 1  # of which all take whole numbers
                parts: list[Term] = [(amount // unit, count) for amount, count in terms]
                rooms = [(-(work.rooms[host][resource] // unit), empty) for host, empty in hosts.items()]
                self.at_most([*parts, *rooms], 0, eased=False)
            self._gain(hosts, gains)
        self._tick()
        for job, terms in by_job.items():
            if job in work.parts:
                self._in_parts(job, [count for _, count in terms])
            else:
                self._done[job] = terms
                self.at_most(terms, work.instances[job], eased=False)
        offered = {spot.host for spot in work.spots}
        self._gain({host: empty for host, empty in self._empty.items() if host not in offered}, [])

    def _tick(self) -> None:
        """A redundant cut: what the jobs of all hosts of one kind can do in runs that begin at some tick."""
        work, kinds = self._ask.work, defaultdict[int, list[str]](list)
        for host in sorted({spot.host for spots in self._pools().values() for spot in spots}):
            kinds[self.survey.host(host)].append(host)
        for hosts in kinds.values() if work.lasting and not work.pools else ():
            done: dict[str, list[Var]] = defaultdict(list)
            for (job, host), count in self._jobs.items():
                if host in hosts:
                    done[job].append(count)
            ticks = range(max(map(work.ticks, hosts)))
            empty = [sum(self._empty[host] for host in hosts if tick < work.ticks(host)) for tick in ticks]
            post_ticks(self.model, work, hosts, {job: sum(counts) for job, counts in done.items()}, empty)

    def _in_parts(self, job: str, seconds: Sequence[Var]) -> None:
        """Instances of which all seconds are done somewhere; none of them runs for longer than there is time."""
        work, each = self._ask.work, self._ask.work.parts[job]
        most = work.instances[job] if each <= work.longest[job] else 0
        done = self.integer(most, f"{job} done")
        self._done[job] = [(1, done)]
        self.at_most([(each, done), *((-1, count) for count in seconds)], 0, eased=False)

    def _gain_of(self, job: str) -> int:
        """What one count of a job brings its host, in thousandths where jobs are done in parts."""
        work = self._ask.work
        return -(-work.value[job] * self._thousand // work.parts.get(job, 1))

    @property
    def _thousand(self) -> int:
        return 1000 if self._ask.work.parts else 1

    def _pools(self) -> dict[str, list[JobOn]]:
        """The spots on hosts that may be emptied, pool by pool."""
        found: dict[str, list[JobOn]] = defaultdict(list)
        for spot in self._ask.work.spots:
            if spot.host in self._empty:
                found[self._ask.work.pool(spot.host)].append(spot)
        return found

    def _gain(self, hosts: Mapping[str, Var], gains: Sequence[Term]) -> None:
        """Emptied hosts bring at least the least gain, all together (those that are named, or empty now, need not)."""
        loss: list[Term] = [
            (self._thousand * self._ask.least_gain, empty)
            for host, empty in hosts.items()
            if host not in self._ask.named and self.scene.on(host)
        ]
        if self._ask.least_gain and loss:
            self.at_most([*gains, *loss], 0, eased=False)

    def _bound_night(self) -> None:
        ask = self._ask
        if ask.most_freed is not None:
            self.at_most([(1, empty) for empty in self._empty.values()], ask.most_freed, eased=False)
        if ask.most_moves is not None:
            self.at_most([(ask.trips, count) for _, count in self._moved()], ask.most_moves, eased=False)
        if ask.store_mib is not None:
            states = [
                (self._ways(movers).state_mib, movers.away["suspend"])
                for movers in self._movers
                if "suspend" in movers.away
            ]
            self.at_most(states, ask.store_mib, eased=False)

    def _ways(self, movers: Movers) -> Ways:
        return self._ask.ways[movers.travel.names[0]]

    def _moved(self) -> list[Term]:
        return [(1, count) for movers in self._movers if self._ways(movers).migrate for _, count in movers.arrive]

    def aim(self, kind: str) -> tuple[list[Term], int]:
        """One of the night's goals on this board (`soonest` is a matter of the schedule: nothing here)."""
        work = self._ask.work
        if kind == "job-value":
            return [(work.value[job] * n, count) for job, terms in self._done.items() for n, count in terms], 0
        if kind == "named-freed":
            return [(1, empty) for host, empty in self._empty.items() if host in self._ask.named], 0
        if kind == "hosts-freed":
            return [(1, empty) for empty in self._empty.values()], 0
        if kind == "downtime":
            gone = [(seconds, movers.away[way]) for movers in self._movers for way, seconds in self._ways(movers).away]
            return gone + [
                (self._ask.trips * carry[1], count)
                for movers in self._movers
                if (carry := self._ways(movers).carry) is not None
                for _, count in movers.arrive
            ], 0
        if kind == "stun":
            stuns = [(self._ways(movers).stun_ms, count) for movers in self._movers for _, count in movers.arrive]
            return [(self._ask.trips * stun, count) for stun, count in stuns], 0
        if kind == "moves":
            return [(self._ask.trips, count) for _, count in self._moved()], 0
        return [], 0

    def hint_target(self, target: Target) -> None:
        """Tell the solver of a target."""
        goes = {stand.vm: stand.host for stand in target.stands}
        for movers in self._movers:
            for vms, _, count in movers.stay:
                self._hint(count, sum(name not in goes and name not in target.away for name in vms.names))
            arrivals = Counter(goes[name] for name in movers.travel.names if name in goes)
            for place, count in movers.arrive:
                self._hint(count, arrivals[place.host.name])
            ways: Counter[str | None] = Counter(target.away.get(name) for name in movers.travel.names)
            for way, count in movers.away.items():
                self._hint(count, ways[way])
        for host, empty in self._empty.items():
            self._hint(empty, int(host in target.emptied))
        jobs: Counter[tuple[str, str]] = Counter()
        for (job, host), many in target.jobs.items():
            jobs[job, self._ask.work.pool(host)] += many
        for spot, count in self._jobs.items():
            self._hint(count, jobs[spot])
        for job, each in self._ask.work.parts.items():
            for _, done in self._done.get(job, ()):
                self._hint(done, sum(count for (name, _), count in jobs.items() if name == job) // each)

    def _hint(self, count: Var, value: int) -> None:
        if not isinstance(count, int):
            self.model.add_hint(count, value)

    def read(self, value: Callable[[Var], int]) -> list[Stand]:
        stands = super().read(value)
        self.target = Target(stands)
        for movers, gone in zip(self._movers, self.left_over, strict=True):
            for way, count in movers.away.items():
                for _ in range(value(count)):
                    self.target.away[gone.pop(0)] = way  # type: ignore[assignment]
        self.target.emptied = [host for host, empty in self._empty.items() if value(empty)]
        counts = {spot: value(count) for spot, count in self._jobs.items() if value(count)}
        self.target.jobs = self._ask.work.dealt(counts, self.target.emptied)
        return stands
