"""Which move waits for which: an order in which moves can be carried out, who stands in the way, and the knots of
moves that wait for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from placer.judge.check import broken, worse
from placer.judge.slots import Worlds
from placer_models.gpus import free_slots
from placer_models.gpus_use import POSITIONAL, held, model_of, use_of
from placer_models.moving import immovable, unreachable
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import stand_on

if TYPE_CHECKING:
    import networkx as nx


@dataclass
class Order:
    """Moves in an order that can be carried out; `waits` has an edge from each VM to those whose leaving it waits for.

    `starts` follow them, with the slots that they then get. `stuck` are moves that lead nowhere: each waits for room
    that another of them holds, or the manager's choice of slots after them leaves none for the starts.
    """

    moves: list[Stand] = field(default_factory=list)
    starts: list[Stand] = field(default_factory=list)
    stuck: list[Stand] = field(default_factory=list)

    @cached_property
    def waits(self) -> nx.DiGraph[str]:
        """Which VM waits for which."""
        import networkx as nx  # here, because loading it takes a while, and where nobody moves nobody waits

        return nx.DiGraph()

    def waits_for(self, vm: str) -> list[str]:
        """The VMs that must have left before this one can go, in the order in which they leave."""
        rank = {stand.vm: i for i, stand in enumerate(self.moves)}
        return sorted(self.waits.successors(vm), key=lambda other: rank[other]) if vm in self.waits else []


def go(scene: Scene, stand: Stand) -> Stand:
    """Let a VM go from where it is to a stand; what it leaves."""
    (source,) = scene.of(stand.vm)
    scene.put(stand)
    scene.remove(source)
    return source


def in_order(now: Scene, rules: Sequence[Rule], targets: Sequence[Stand], starts: Sequence[Stand] = ()) -> Order:
    """An order for moves to these stands.

    A VM on the move stands on both hosts, so each target must have room while the VM's source is still held. Moves
    are taken whenever they have room: leaving a host never takes room from anybody, so what this does not reach, no
    order of these moves reaches. Where the manager picks slots, VMs get those that it picks in this order.
    """
    order, scene = Order(), now.copy()
    always = [rule for rule in rules if rule.always]
    gone_from: dict[str, list[str]] = defaultdict(list)
    waited: set[str] = set()
    left = list(targets)
    while left:
        blocked: list[Stand] = []
        for target in left:
            stand = free(scene, always, target)
            if stand is None:
                waited.add(target.vm)
                blocked.append(target)
                continue
            source = go(scene, stand)
            order.moves.append(stand)
            if stand.vm in waited:
                order.waits.add_edges_from((stand.vm, other) for other in gone_from[stand.host])
            gone_from[source.host].append(stand.vm)
        if len(blocked) == len(left):
            order.stuck = blocked
            return order
        left = blocked
    if not order.moves:  # then the starts are in order as they are
        order.starts = list(starts)
    elif not (start_all(scene, always, order, starts) and _sure(now, order)):
        order.stuck = list(targets)
    return order


def start_all(scene: Scene, always: Sequence[Rule], order: Order, starts: Sequence[Stand]) -> bool:
    """Let VMs start after the moves; false where one finds no room."""
    for target in starts:
        stand = free(scene, always, target)
        if stand is None:
            return False
        scene.put(stand)
        order.starts.append(stand)
    return True


def picked(scene: Scene, stand: Stand) -> Stand | None:
    """The stand with the slots that the manager picks, where it picks the first legal ones; None: there is none."""
    if scene.cluster.platform.slot_choice != "first-legal":
        return stand
    host, holds = scene.cluster.hosts[stand.host], list[Hold]()
    for hold in stand.holds:
        gpu = host.gpu[hold.gpu]
        use = use_of(scene.cluster, gpu, hold)
        if use is not None and hold.sharing in POSITIONAL:
            own = [
                (other, one.slot) for one in holds if one.gpu == gpu.id and (other := use_of(scene.cluster, gpu, one))
            ]
            row = model_of(scene.cluster, gpu).row_units(hold.sharing)
            slot = next(iter(free_slots(use, row, (*held(scene, host, gpu), *own))), None)
            if slot is None:
                return None
            hold = replace(hold, slot=slot)
        holds.append(hold)
    return replace(stand, holds=tuple(holds))


def _sure(now: Scene, order: Order) -> bool:
    """Whether all find slots in this order whatever legal ones the manager picks, where it may pick any."""
    if now.cluster.platform.slot_choice != "worst-case":
        return True
    worlds = Worlds(now)
    for stand in order.moves:
        if worlds.arrive(stand):
            return False
        worlds.leave(now.of(stand.vm)[0])
    return not any(worlds.arrive(stand) for stand in order.starts)


def has_room(scene: Scene, always: Sequence[Rule], stand: Stand, first: Scene | None = None) -> bool:
    """Whether a VM may come to a stand in a scene: no rule that holds at every instant is more broken then than it is
    now, or than it was in a `first` scene.
    """
    before = broken(first or scene, always, (stand.host,))
    with scene.trial(stand):
        return not worse(always, before, broken(scene, always, (stand.host,)))


def free(scene: Scene, always: Sequence[Rule], stand: Stand) -> Stand | None:
    """The stand with the slots that the manager picks, where it has room; None: it has none."""
    spot = picked(scene, stand)
    return spot if spot is not None and has_room(scene, always, spot) else None


def needed(scene: Scene, always: Sequence[Rule], stand: Stand, gone: Iterable[Stand]) -> list[Stand]:
    """Of those who have left a stand's host, the ones without whose leaving it would have no room."""
    there = {other.vm for other in scene.on(stand.host)} | {stand.vm}
    found: list[Stand] = []
    back: list[Stand] = []
    for other in gone:
        if other.vm in there:
            continue
        with scene.trial(*back, other):
            spared = has_room(scene, always, stand)
        if spared:
            back.append(other)
        else:
            found.append(other)
    return found


def in_the_way(scene: Scene, always: Sequence[Rule], stand: Stand, leavers: Sequence[Stand]) -> list[Stand] | None:
    """Of those who want to leave a stand's host, some whose leaving makes room for it, as few as may be; None: not
    even the leaving of all of them does.
    """
    with scene.lifted(*leavers):
        spot = free(scene, always, stand)
        return None if spot is None else needed(scene, always, spot, leavers)


def knots(waits: nx.DiGraph[str]) -> Iterator[list[str]]:
    """The sets of VMs that wait for each other, and for nobody outside their set (who waits for nobody is none)."""
    import networkx as nx

    apart = nx.condensation(waits)
    for node, waited in apart.out_degree():
        if waited == 0:
            names = sorted(apart.nodes[node]["members"])
            if len(names) > 1 or waits.has_edge(names[0], names[0]):
                yield names


def spares(scene: Scene, always: Sequence[Rule], source: Stand, to: Stand, hosts: Iterable[str]) -> Iterator[Stand]:
    """The stands on these hosts over which a VM could go to where it wants: room now, and no migration refused."""
    cluster = scene.cluster
    vm = cluster.vms[source.vm]
    for name in hosts:
        host = cluster.hosts[name]
        if name in (source.host, to.host) or host.state != "up" or unreachable(cluster, source, host):
            continue
        use = scene.use(name)
        if (
            use.cpu_milli + vm.cpu_milli > host.cpu_room_milli
            or use.gpu_vms_memory_mib + (vm.memory_mib if vm.gpus else 0) > host.memory_room_mib
        ):
            continue
        stand = stand_on(scene, vm, host)
        if (
            stand is not None
            and has_room(scene, always, stand)
            and immovable(cluster, vm, stand) is None
            and unreachable(cluster, stand, cluster.hosts[to.host]) is None
        ):
            yield stand
