"""Why a VM finds no other host, all others standing as they do in a scene."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from placer.judge.obstacles import Explainer
from placer_models.cluster import Cluster
from placer_models.moving import unreachable
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.words import and_more


def nowhere_else(
    scene: Scene,
    rules: Sequence[Rule],
    stand: Stand,
    freed: Collection[str] = (),
    but: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """A sentence for each group of hosts that take it not, for the same reason; nothing: some host does.

    Hosts in `freed` are to be free and take nobody; `but` says of hosts why it does not go there although they have
    room.
    """
    cluster, vm = scene.cluster, scene.cluster.vms[stand.vm]
    groups = refused(cluster, stand)
    far = {name for names in groups.values() for name in names}
    out = {stand.host, *freed, *far}
    said: list[str] = []
    if any(name not in out for name in cluster.hosts):
        with scene.lifted(*scene.of(stand.vm)):  # it may be on the move
            explainer = Explainer(scene, rules)
            look = explainer.look(vm)
            against = (one for one in look.against if one.reason.host not in out)
            said = [sentence for _, _, sentence in explainer.grouped(against)]
        for name in (name for name in look.open_to if name not in out):
            if name not in (but or {}):
                return ()
            groups.setdefault((but or {})[name], []).append(name)
    if free := [name for name in freed if name != stand.host and name not in far]:
        groups["freed itself" if len(free) == 1 else "freed themselves"] = free
    return (*said, *(told_of(names, why) for why, names in groups.items())) or ("there is no other host",)


def refused(cluster: Cluster, stand: Stand) -> dict[str, list[str]]:
    """The hosts to which a VM cannot be live-migrated whatever room they have, by the reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for host in cluster.hosts.values():
        if host.name != stand.host and (why := unreachable(cluster, stand, host)):
            found[why].append(host.name)
    return dict(found)


def told_of(names: Sequence[str], said: str) -> str:
    """`esx01, esx02, esx03 and 4 more: ...`."""
    return f"{and_more(names, 3)}: {said}"
