"""How long VMs are down at least that have to leave their hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from placer.solve.leaving import Options
from placer_models.cluster import Host
from placer_models.moving import unreachable
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on


def downtimes(
    first: Scene,
    trips: int,
    stands: Iterable[Stand],
    options: Mapping[str, Options | str],
    own: Callable[[str], Host | None],
) -> dict[str, int]:
    """How long each of these VMs is down at least, once it has to leave, and travels so often. Nobody is seated on a
    host that has no seat for it beside those VMs that nothing may be done to. `own`: what of its own host it could
    start on at once.
    """
    cluster = first.cluster
    stuck = (stand for stand in first.stands() if isinstance(options[stand.vm], str))
    kept, found = Scene(cluster, stuck), dict[str, int]()
    for stand in stands:
        may, vm = options[stand.vm], cluster.vms[stand.vm]
        if not isinstance(may, Options):
            continue
        seats = [unreachable(cluster, stand, host) is None for host in _seats(kept, stand, any_one=may.live)]
        if may.live and any(seats):
            found[vm.name] = 0
            continue
        here = own(stand.host)
        near = here is not None and stand_on(kept, vm, here) is not None
        least = [seconds for _, seconds in may.wait]
        for down, seconds in may.elsewhere:
            if near:
                least.append(seconds)
            elif any(seats) or (down == "power-off" and seats):
                least.append(trips * seconds)
        found[vm.name] = min(least, default=0)
    return found


def _seats(kept: Scene, stand: Stand, *, any_one: bool) -> Iterator[Host]:
    """The other hosts that have a seat for a VM in a scene, up to the first that it can be moved to (`any_one`)."""
    cluster = kept.cluster
    for host in cluster.hosts.values():
        if host.name != stand.host and host.state == "up" and stand_on(kept, cluster.vms[stand.vm], host):
            yield host
            if any_one and unreachable(cluster, stand, host) is None:
                return
