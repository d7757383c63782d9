"""What no plan of several nights has more of, whatever each night leaves to the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from placer.night.dealing import Nights
from placer.night.flash import Flashing
from placer.night.left import Left
from placer.night.turns import can_be_emptied, for_every_plan
from placer.night.window import Night
from placer.night.work import work_of
from placer.solve.survey import Survey
from placer.solve.value import Supply, most_value
from placer_models.goals.night import NightGoal
from placer_models.night import Consolidate, Job


class AnyHours(Night):
    """A night of which nothing is known but how long it is: VMs may be away from the beginning to the end."""

    def free_at_most(self, host: str) -> tuple[int, int]:
        return 0, self.seconds


class _FlashedBefore(Flashing):
    """Hosts may have been flashed in an earlier night, and be flashed back in a later one."""

    def left_at_most(self, hours: tuple[int, int]) -> tuple[int, int]:
        return hours


def most_of(nights: Nights, request: Consolidate, goals: Sequence[NightGoal], jobs: Sequence[Job]) -> dict[str, int]:
    """Bounds on job value and on the hosts that are free at once, which hold for every plan of these nights.

    Where every VM must be home at the end of each window, all nights begin alike: then what the search knows of one
    that had all of the request's limits is known of all. Else nights are taken as if no VM but those that can never
    leave were in the way.
    """
    first = nights[0][0]
    alike = _begin_alike(first, request)
    able = {host.name for host in can_be_emptied(first)}
    found = [result.outcome.always for night, result in nights if alike and night.request == request]
    known = [its["hosts-freed"] for its in found if its]
    most = min([len(able), *([request.free] if isinstance(request.free, int) else []), *known])
    survey = Survey(first.scene.cluster, first.rules, ())
    supplies: list[Supply] = []
    alone: dict[object, int | None] = {}
    for night, result in nights:
        kind = Night if alike else AnyHours
        whole = kind(night.clock, night.seconds, first.scene, first.rules, request, Left(jobs).errands(night.clock))
        work = work_of(whole, frozenset(able), _FlashedBefore(whole))
        same = night.seconds, tuple((one.name, one.earliest, one.latest) for one in whole.errands)
        if same not in alone:
            limits = alike and night.request == request
            full = limits and night.errands == whole.errands and not Flashing(whole).may_help()
            tiers = for_every_plan(night, result.outcome).tiers if full and goals[0].kind == "job-value" else []
            alone[same] = tiers[0].bound if tiers else None
        supplies.append(Supply(work, {host: survey.host(host) for host in work.rooms}, most, alone[same]))
    return {"job-value": most_value(supplies), "hosts-freed": most}


def _begin_alike(night: Night, request: Consolidate) -> bool:
    """Whether every VM is home when a window ends, from the first on."""
    end: datetime = night.clock.instant(night.seconds)
    ready = (night.scene.cluster.vms[stand.vm].ready_by or request.ready_by for stand in night.scene.stands())
    return request.way_back == "same-host" and all(by is None or by <= end for by in ready)
