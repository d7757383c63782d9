"""What is left of GPUs: the share of each that nothing holds, what of it can still be used, and what cannot."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs
from placer_models.gpus import room_for
from placer_models.gpus_use import Held, held, model_of, use_for
from placer_models.scene import Scene


class Spare(NamedTuple):
    """What is left of one GPU: as `placer_models.view.GpuView` says it."""

    free_milli: int
    more: Mapping[str, int]
    stranded_milli: int
    stranded_mib: int | None


class Spares:
    """What is left of the GPUs of a cluster in some scene, by the asks that its VMs make. GPUs that are alike and hold
    the same are looked at once.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.asks = asks_of(cluster)
        self._cluster = cluster
        self._seen: dict[Hashable, Spare] = {}

    def of(self, scene: Scene, host: Host, gpu: Gpu) -> Spare:
        """What is left of a GPU."""
        now = held(scene, host, gpu)
        open_to = (scene.sharing(host.name, gpu),) if scene.holders(host.name, gpu.id) else gpu.sharings
        key = gpu.make, open_to, now
        if key not in self._seen:
            self._seen[key] = self._look(gpu.model_copy(update={"sharing": open_to[0], "may_share": open_to}), now)
        return self._seen[key]

    def _look(self, gpu: Gpu, now: Held) -> Spare:
        model = model_of(self._cluster, gpu)
        free = max(0, 1000 - sum(use.share_milli for use, _ in now))
        more, best = {}, 0
        for name, (ask, needs) in self.asks.items():
            count, milli = self._most(gpu, now, ask, needs)
            if count:
                more[name] = count
            best = max(best, milli)
        stranded = max(0, free - best)
        lost = None if model.memory_mib is None else stranded * model.memory_mib // 1000
        return Spare(free, more, stranded, lost)

    def _most(self, gpu: Gpu, now: Held, ask: Ask, needs: Needs) -> tuple[int, int]:
        """How many more items of an ask a GPU can take, in the sharing that takes most, and how many thousandths that
        is.
        """
        best = (0, 0)
        for sharing in gpu.sharings:
            use = use_for(self._cluster, ask, needs, gpu, sharing)
            if use is None:
                continue
            count = room_for(use, model_of(self._cluster, gpu).row_units(sharing), now)
            best = max(best, (count, count * use.share_milli))
        return best


def asks_of(cluster: Cluster) -> Mapping[str, tuple[Ask, Needs]]:
    """One item of each GPU ask that the snapshot's VMs have, by name; whole GPUs always. Of a model that has several
    names in the snapshot the first is taken.
    """
    found: dict[Hashable, tuple[Ask, Needs]] = {}
    for vm in cluster.vms.values():
        for ask in vm.wants:
            cuda = vm.needs.cuda and ask.profile is not None
            one = ask.model_copy(update={"count": 1}), Needs(cuda=cuda)
            found.setdefault((ask.profile, cuda) if ask.profile else _key(cluster, ask), one)
    for host in cluster.hosts.values():
        for gpu in host.gpus:
            ask = Ask(models=(gpu.model,), mode=None if gpu.mode == "graphics" else gpu.mode)  # or as it is called
            found.setdefault(_key(cluster, ask), (ask, Needs()))
    named = {_name(ask, needs.cuda): (ask, needs) for ask, needs in found.values()}
    return dict(sorted(named.items(), key=lambda item: _rank(item[0], item[1][0])))


def _key(cluster: Cluster, ask: Ask) -> Hashable:
    """Equal for asks for the same models, however these are called."""
    models = [cluster.catalogue.canonical(name) for name in ask.models or ()]
    return ask.milli, tuple((name, ask.mode or mode) for name, mode in models) or ask.mode


def _rank(name: str, ask: Ask) -> tuple[bool, bool, str, int, str]:
    """Profiles first, then shares from small to large, then whole GPUs."""
    models = "" if ask.profile else str(ask.models)
    return ask.profile is None, ask.whole, models, ask.milli or 0, name


def _name(ask: Ask, cuda: bool) -> str:
    models = " or ".join(ask.models) if ask.models else "any GPU"
    if ask.mode == "compute" and not models.endswith(".compute"):
        models += ".compute"
    if ask.profile is not None:
        return f"{ask.profile} with CUDA" if cuda else ask.profile
    return f"whole {models}" if ask.milli is None else f"{ask.milli}/1000 of {models}"
