"""Events, each taken into a standing cluster whole, or refused in one sentence with nothing changed."""

from __future__ import annotations

from placer.warm.standing import Standing, running, with_gpu
from placer_models.cluster import Host, Vm
from placer_models.document import Faults, quote
from placer_models.events import (
    Event,
    GpuChanged,
    HostAdded,
    HostState,
    VmMoved,
    VmRemoved,
    VmResized,
    VmStarted,
    VmStopped,
)
from placer_models.platform import wants_one_type
from placer_models.references import unknown
from placer_models.scene import Hold, Stand, stand_of
from placer_models.seating import match as in_order


def take(standing: Standing, event: Event) -> None:
    """Let an event happen. Raises Faults."""
    match event:
        case VmStarted():
            _started(standing, event)
        case VmStopped():
            _running(standing, event.kind, event.vm)
            standing.stop(event.vm)
        case VmMoved():
            _moved(standing, event)
        case VmResized():
            _resized(standing, event)
        case VmRemoved():
            _removed(standing, event)
        case HostAdded():
            _added(standing, event)
        case HostState():
            host = _host(standing, event.kind, event.host)
            standing.change_host(host.model_copy(update={"state": event.state}))
        case GpuChanged():
            _gpu(standing, event)
        case _:
            raise Faults("the event", [f"found {quote(type(event).__name__)}, expected one of placer_models.events"])


def _started(standing: Standing, event: VmStarted) -> None:
    vm, stand = event.vm, standing.stand(event.vm.name)
    if vm.power != "on":
        raise Faults(event.kind, [f"vm.power: found {quote(vm.power)}, expected 'on'"])
    if stand is not None:
        raise Faults(event.kind, [f"vm.name: found {quote(vm.name)}, which is on already, on {stand.host}"])
    standing.refuse_where(event.kind, [_host(standing, event.kind, vm.host or "")], [vm])
    standing.start(vm, stand_of(standing.field.cluster, vm))


def _moved(standing: Standing, event: VmMoved) -> None:
    vm, host = _running(standing, event.kind, event.vm), _host(standing, event.kind, event.host)
    missing = [gpu.gpu for gpu in event.gpus if gpu.gpu not in host.gpu]
    if missing:
        raise Faults(event.kind, [f"gpus: {unknown('GPU', missing[0], host.gpu, host.name)}"])
    for gpu in event.gpus:
        if gpu.sharing not in (None, host.gpu[gpu.gpu].sharing):
            _unheld(standing, event.kind, host, gpu.gpu, but=vm.name)
            host = with_gpu(host, host.gpu[gpu.gpu].model_copy(update={"sharing": gpu.sharing}))
    holds = tuple(Hold(gpu.gpu, host.gpu[gpu.gpu].sharing, gpu.profile, gpu.slot, gpu.milli) for gpu in event.gpus)
    ordered = in_order(standing.field.cluster, vm, host, holds)
    if ordered is None:
        raise Faults(event.kind, [f"gpus: found what {quote(vm.name)} does not ask for, expected a place for each ask"])
    stand = Stand(vm.name, host.name, ordered)
    standing.refuse_where(event.kind, [host], [running(vm, stand)])
    standing.move((stand,))


def _resized(standing: Standing, event: VmResized) -> None:
    vm = standing.vms.get(event.vm)
    if vm is None:
        raise Faults(event.kind, [f"vm: {unknown('VM', event.vm, standing.vms, 'this session')}"])
    stand = standing.stand(vm.name)
    if stand is not None and vm.gpus and event.memory_mib not in (None, vm.memory_mib):
        raise Faults(event.kind, [f"memory_mib: {vm.name} has a GPU, so its memory changes only while it is off"])
    sizes = {"cpus": event.cpus, "memory_mib": event.memory_mib}
    resized = vm.model_copy(update={key: size for key, size in sizes.items() if size is not None})
    if stand is None:
        standing.know(resized)
    else:
        standing.field.remove(stand)
        standing.know(resized)
        standing.field.put(stand)
    standing.changed()


def _removed(standing: Standing, event: VmRemoved) -> None:
    if event.vm not in standing.vms:
        raise Faults(event.kind, [f"vm: {unknown('VM', event.vm, standing.vms, 'this session')}"])
    stand = standing.stand(event.vm)
    if stand is not None:
        raise Faults(event.kind, [f"vm: found {quote(event.vm)}, which runs on {stand.host}; expected one that is off"])
    named = standing.naming(event.vm)
    if named is not None:
        raise Faults(event.kind, [f"vm: found {quote(event.vm)}, which {named} names; expected one that nothing names"])
    standing.forget(event.vm)


def _added(standing: Standing, event: HostAdded) -> None:
    host, hosts = event.host, standing.hosts
    if host.name in hosts:
        raise Faults(event.kind, [f"host.name: found {quote(host.name)}, which is there already"])
    standing.refuse_where(event.kind, [host])
    platform = standing.field.cluster.platform
    managers = [other.vgpu_manager for other in hosts.values()]
    if wants_one_type(platform, [*managers, host.vgpu_manager]) != wants_one_type(platform, managers):
        said = "its vGPU manager wants one type on a GPU, the others' do not: begin a new session"
        raise Faults(event.kind, [f"host.vgpu_manager: {said}"])
    standing.change_host(host)


def _gpu(standing: Standing, event: GpuChanged) -> None:
    host = _host(standing, event.kind, event.host)
    gpu = host.gpu.get(event.gpu)
    if gpu is None:
        raise Faults(event.kind, [f"gpu: {unknown('GPU', event.gpu, host.gpu, host.name)}"])
    _unheld(standing, event.kind, host, gpu.id)
    settings = {"mode": event.mode, "sharing": event.sharing}
    changed = gpu.model_copy(update={key: value for key, value in settings.items() if value is not None})
    other = with_gpu(host, changed)
    standing.refuse_where(event.kind, [other])
    standing.change_host(other)


def _host(standing: Standing, what: str, name: str) -> Host:
    host = standing.hosts.get(name)
    if host is None:
        raise Faults(what, [f"host: {unknown('host', name, standing.hosts, 'this session')}"])
    return host


def _unheld(standing: Standing, what: str, host: Host, gpu: str, but: str = "") -> None:
    """Refuse where anybody (`but` for one VM) holds a GPU that comes to stand in something else."""
    for stand, _ in standing.field.scene.holders(host.name, gpu):
        if stand.vm != but:
            raise Faults(what, [f"gpu: GPU {gpu} of {host.name} is held by {stand.vm}"])


def _running(standing: Standing, what: str, name: str) -> Vm:
    vm = standing.vms.get(name)
    if vm is None:
        raise Faults(what, [f"vm: {unknown('VM', name, standing.vms, 'this session')}"])
    if standing.stand(name) is None:
        raise Faults(what, [f"vm: found {quote(name)}, which is {vm.power}; expected a VM that is on"])
    return vm
