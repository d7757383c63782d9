"""What may be done to a VM whose host is to be empty for a while, and why a host stays as it is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from placer.judge.obstacles import Explainer
from placer.solve.leaving import Down, Options, Spot
from placer.solve.traffic import UNDONE
from placer_models.cluster import Cluster
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.moving import immovable, stuck, unreachable, unsuspendable
from placer_models.night import Limits
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


def options_of(
    cluster: Cluster, rules: Sequence[Rule], limits: Limits, stand: Stand, care_seconds: int
) -> Options | str:
    """The options of a VM while its host is cared for so long, or why it has none."""
    vm = cluster.vms[stand.vm]
    if any(rule.pins(vm) for rule in rules):
        return "must stay where it is"
    refused, stun = immovable(cluster, vm, stand), stun_seconds(cluster, vm)
    allowed = [limit for limit in (limits.stun_seconds, vm.stun_limit_seconds) if limit is not None]
    if refused is None and allowed and stun > min(allowed):
        refused = f"would be stunned for {stun:g} s, and may be for {min(allowed):g} s"
    downs: list[Down] = []
    if unsuspendable(cluster, vm, stand) is None:
        downs.append("suspend")
    if vm.may.power_cycle:
        downs.append("power-off")
    if refused is not None and not downs:
        return stuck(cluster, vm, stand, refused)

    def seconds(down: Down) -> int:
        return sum(step_seconds(cluster, vm, kind, limits) for kind in (down, UNDONE[down]))

    return Options(
        live=refused is None,
        elsewhere=tuple((down, seconds(down)) for down in downs),
        wait=tuple((down, seconds(down) + care_seconds) for down in downs),
        stun_ms=math.ceil(stun * 1000) if refused is None else 0,
        state_mib=state_mib(cluster, vm),
    )


def able_of(leavers: Mapping[Spot, Sequence[Stand]], options: Mapping[str, Options | str]) -> dict[str, Options]:
    """The options of those who are to leave, where they have any."""
    stands = (stand for its in leavers.values() for stand in its)
    return {stand.vm: may for stand in stands if isinstance(may := options[stand.vm], Options)}


def without(options: Options | str, failed: Collection[str]) -> Options | str:
    """The same but for ways that have failed; if none is left, why."""
    if isinstance(options, str) or not failed:
        return options
    left = replace(
        options,
        live=options.live and "migrate" not in failed,
        wait=tuple(way for way in options.wait if way[0] not in failed),
        elsewhere=tuple(way for way in options.elsewhere if way[0] not in failed),
    )
    if left.live or left.wait or left.elsewhere:
        return left
    words = {"migrate": "migration", "suspend": "suspension"}
    what = " and ".join(sorted(words.get(kind, kind) for kind in failed))
    return f"its {what} failed, and nothing else may be done to it"


def in_maintenance(scene: Scene, hosts: Sequence[str]) -> Scene:
    """The same stands in a cluster in which these hosts are in maintenance."""
    changed = {name: scene.cluster.hosts[name].model_copy(update={"state": "maintenance"}) for name in hosts}
    return Scene(replace(scene.cluster, hosts={**scene.cluster.hosts, **changed}), scene.stands())


def nowhere_to_go(
    scene: Scene, rules: Sequence[Rule], host: str, stands: Sequence[Stand], options: Mapping[str, Options | str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Those on a host that keep it, each VM with the reasons: who has no options, and who finds no other host and may
    not wait until it can come back.
    """
    cared = in_maintenance(scene, [host])
    for stand in stands:
        may = options[stand.vm]
        if isinstance(may, str):
            yield stand.vm, (may,)
        elif not may.wait:
            with cared.lifted(stand):
                explainer = Explainer(cared, rules)
                look = explainer.look(cared.cluster.vms[stand.vm])
                refused: dict[str, list[str]] = defaultdict(list)
                anywhere = any(way == "power-off" for way, _ in may.elsewhere)
                for name in look.open_to:
                    why = None if anywhere else unreachable(cared.cluster, stand, cared.cluster.hosts[name])
                    if why is None:
                        break
                    refused[why].append(name)
                else:
                    against = (one for one in look.against if one.reason.host != host)
                    said = [sentence for _, _, sentence in explainer.grouped(against)]
                    said += [f"{', '.join(names)}: {why}" for why, names in refused.items()]
                    yield stand.vm, tuple(said) or ("there is no other host",)
