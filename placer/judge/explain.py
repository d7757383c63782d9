"""Why one VM of a snapshot stands where it does, or stays off."""

from __future__ import annotations

from placer.called import check_call
from placer.judge.check import broken
from placer.judge.obstacles import Explainer, Look
from placer.judge.replay import Replay
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Faults
from placer_models.explanation import Elsewhere, Explanation
from placer_models.moving import immovable, unreachable
from placer_models.plan import PlacedGpu, Placements
from placer_models.scene import Hold, Scene
from placer_models.snapshot import Snapshot, unknown


def explain(
    snapshot: Snapshot, vm: str, decision: Decision | None = None, answer: Placements | None = None
) -> Explanation:
    """Why a VM of a snapshot stands where it does or stays off, and why not elsewhere: for any VM, asked for or not.

    The decision (default: the shipped `power_on`) says which rules hold; with `answer` the cluster is looked at as it
    is after those placements. Raises Faults for an unknown VM, and for an answer that the judge refuses.
    """
    check_call(snapshot, decision)
    decision = decision or shipped_decision("power_on")
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    if vm not in cluster.vms:
        also = "; it is a host: why it is not freed a plan tells (--plan), who is on it `show`" * (vm in cluster.hosts)
        raise Faults("VM", [unknown("VM", vm, cluster.vms) + also])
    before = scene = Scene.now(cluster)
    if answer is not None:
        replay = Replay(cluster, rules, answer)
        if replay.faults:
            raise Faults("the placements", replay.faults)
        scene = replay.scene
    asked, stands = cluster.vms[vm], scene.of(vm)
    found = Explanation(
        vm=vm,
        power=asked.power,
        asked=vm in cluster.asked,
        snapshot_sha256=snapshot.sha256,
        decision=decision.name,
    )
    if not stands:
        explainer = Explainer(scene, rules, before)
        look, change = explainer.look_and_change(asked)
        more = {"could": look.open_to, "elsewhere": _elsewhere(explainer, look), "nearest": look.nearest}
        return found.model_copy(update={**more, "change": change})
    (stand,) = stands
    breaks = [breach.said for group in broken(scene, rules, (stand.host,)) for breach in group if vm in breach.vms]
    pinned = any(rule.pins(asked) for rule in rules)
    stays = immovable(cluster, asked, stand) or ("is to stay where it is" if pinned else None)
    with scene.lifted(stand):
        explainer = Explainer(scene, rules, before)
        look = explainer.look(asked)
        could = tuple(name for name in look.open_to if name != stand.host)
        elsewhere = _elsewhere(explainer, look, stand.host)
    reached = tuple(name for name in could if not unreachable(cluster, stand, cluster.hosts[name]))
    return found.model_copy(
        update={
            "host": stand.host,
            "gpus": tuple(_gpu(hold) for hold in stand.holds),
            "could": could,
            "could_migrate": () if stays else reached,
            "stays": stays,
            "breaks": tuple(breaks),
            "elsewhere": elsewhere,
        }
    )


def _gpu(hold: Hold) -> PlacedGpu:
    return PlacedGpu(gpu=hold.gpu, profile=hold.profile, slot=hold.slot, milli=hold.milli)


def _elsewhere(explainer: Explainer, look: Look, home: str | None = None) -> tuple[Elsewhere, ...]:
    against = [one for one in look.against if one.reason.host != home]
    return tuple(
        Elsewhere(hosts=tuple(hosts), rule=rule, reason=said.partition(": ")[2])
        for hosts, rule, said in explainer.grouped(against)
    )
