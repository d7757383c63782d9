"""What must fit between the parts of a snapshot: names that something has, and GPUs that hold no more than they can.

The parts are checked whose own keys and types are right (`placer_models.parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from placer_models.cluster import Ask, Cluster, Gpu, Host, Vm
from placer_models.document import Document, Hints, quote
from placer_models.gpus import SHARINGS, Catalogue, Use, lays
from placer_models.gpus_use import POSITIONAL, accepts, unit_of, use_of
from placer_models.night import Consolidate, Evacuate, Request, SetMode
from placer_models.parts import Parts
from placer_models.platform import Platform
from placer_models.scene import Hold
from placer_models.words import few


def unknown(what: str, name: str, known: Iterable[str], of: str = "this snapshot", hints: Hints | None = None) -> str:
    """The sentence for a name that nothing has, with the nearest one that something has."""
    return f"found {quote(name)}, expected a {what} of {of}{(hints or Hints())(name, known)}"


@dataclass
class References:
    """One look at how the parts of a snapshot fit together: `faults` gives a sentence with its path for each fault."""

    parts: Parts
    catalogue: Catalogue
    platform: Platform = field(default_factory=Platform)
    hints: Hints = field(default_factory=Hints)
    held: dict[tuple[str, str], list[tuple[Use, int | None, str]]] = field(default_factory=dict)
    """What GPUs (host, id) hold, as far as nothing is wrong with it: the use, the unit at which it begins, the VM."""

    def __post_init__(self) -> None:
        # Of two with one name the first is meant: that there are two is a fault of its own.
        self.hosts = {host.name: host for host in reversed([*self.parts.hosts.values()])}
        self.vms = {vm.name: vm for vm in reversed([*self.parts.vms.values()])}
        self.host_names = dict.fromkeys(self.parts.host_names.values())
        self.vm_names = dict.fromkeys(self.parts.vm_names.values())
        self.cluster = Cluster("", self.platform, self.hosts, self.vms, {}, self.catalogue)

    def faults(self) -> Iterator[str]:
        """Everything that is wrong between the parts."""
        yield from _twice("hosts", "name", self.parts.host_names)
        yield from _twice("vms", "name", self.parts.vm_names)
        started = {i: vm for i, one in self.parts.requests.items() if isinstance(vm := getattr(one, "vm", None), str)}
        yield from _twice("requests", "vm", started)
        for i, host in self.parts.hosts.items():
            yield from self._host(f"hosts[{i}]", host)
        for i, vm in self.parts.vms.items():
            yield from self._vm(f"vms[{i}]", vm)
        for i, rule in self.parts.rules.items():
            yield from self._names(f"rules[{i}]", rule)
            yield from self._label(f"rules[{i}].by", getattr(rule, "by", "host"))
        for i, request in self.parts.requests.items():
            yield from self._names(f"requests[{i}]", request)
            if isinstance(request, Consolidate | Evacuate | SetMode):
                yield from self._night(f"requests[{i}]", request)
        yield from _twice("jobs", "name", {i: str(getattr(job, "name", "")) for i, job in self.parts.jobs.items()})
        for i, job in self.parts.jobs.items():
            for j, ask in enumerate(getattr(job, "gpus", ())):
                yield from self._ask(f"jobs[{i}].gpus[{j}]", ask)
            yield from self._runs(f"jobs[{i}].name", job)
        for i, name in started.items():
            vm = self.vms.get(name)
            if vm is not None and vm.power == "on":
                yield f"requests[{i}].vm: found {quote(name)}, which is on; expected a VM that is off or suspended"

    def _unknown(self, what: str, name: str, known: Iterable[str], of: str = "this snapshot") -> str:
        return unknown(what, name, known, of, self.hints)

    def _runs(self, path: str, job: Document) -> Iterator[str]:
        """Runs of a job stand among the VMs under names of their own."""
        first = f"job/{getattr(job, 'name', '')}/"
        taken = (name for name in self.parts.vm_names.values() if name.startswith(first))
        for name in taken:
            if name.removeprefix(first).isdecimal():
                told = f"one of its runs would be called as VM {quote(name)} is"
                yield f"{path}: found {quote(getattr(job, 'name', ''))}, expected another name: {told}"
                return

    # names

    def _names(self, path: str, part: Document) -> Iterator[str]:
        """The hosts and VMs that a rule or a request names."""
        for what, one, several, known in (
            ("VM", "vm", "vms", self.vm_names),
            ("host", "host", "hosts", self.host_names),
            ("host", "", "free", self.host_names),
        ):
            name, names = getattr(part, one or several, None), getattr(part, several, None)
            if isinstance(name, str) and name not in known:
                yield f"{path}.{one}: {self._unknown(what, name, known)}"
            if isinstance(names, tuple):
                for i, name in enumerate(names):
                    if name not in known:
                        yield f"{path}.{several}[{i}]: {self._unknown(what, name, known)}"
                yield from _twice(f"{path}.{several}", "", dict(enumerate(names)))

    def _night(self, path: str, request: Request) -> Iterator[str]:
        """What a night's request asks of hosts that cannot be had of them."""
        if isinstance(request, SetMode):
            yield from self._modes(path, request)
        if isinstance(request, Consolidate):
            yield from self._to_free(f"{path}.free", request)
        for j, link in enumerate(request.limits.links):
            yield from self._label(f"{path}.limits.links[{j}].label", link.label, ())

    def _modes(self, path: str, request: SetMode) -> Iterator[str]:
        """What a set-mode request wants, and of which of its host's GPUs."""
        host = self.hosts.get(request.host)
        for i, gpu in enumerate(request.gpus or ()):
            if host is not None and gpu not in host.gpu:
                yield f"{path}.gpus[{i}]: {self._unknown('GPU', gpu, host.gpu, host.name)}"
        yield from _twice(f"{path}.gpus", "", dict(enumerate(request.gpus or ())))
        one_size = self.platform.why_one_size(host.vgpu_manager) if host is not None else None
        if request.sharing == "mixed-size" and one_size is not None:
            yield f"{path}.sharing: found 'mixed-size', {one_size}"
        if request.mode is None and request.sharing is None:
            yield f"{path}: missing 'mode' or 'sharing': what the GPUs are to be put in"

    def _to_free(self, path: str, request: Consolidate) -> Iterator[str]:
        """Hosts that are to be freed and are none that the request is about."""
        for i, name in enumerate(request.free if isinstance(request.free, tuple) else ()):
            host = self.hosts.get(name)
            if host is not None and not request.names_host(host):
                expected = "one of those that the request is about ('hosts', 'host_labels')"
                yield f"{path}[{i}]: found {quote(name)}, expected {expected}"

    def _label(self, path: str, label: object, own: Sequence[str] = ("host",)) -> Iterator[str]:
        """A label by which hosts are grouped: some host has it, or it is one of the `own` words (not asked where hosts
        are wrong in themselves).
        """
        some_wrong = len(self.parts.hosts) < len(self.parts.host_names)
        if label in own or some_wrong or any(label in host.labels for host in self.hosts.values()):
            return
        labels = sorted({key for host in self.hosts.values() for key in host.labels})
        also = "".join(f"{quote(word)} or " for word in own)
        expected = f"{also}a label that hosts have ({', '.join(map(quote, labels)) or 'they have none'})"
        yield f"{path}: found {quote(label)}, expected {expected}"

    # hosts and their GPUs

    def _host(self, path: str, host: Host) -> Iterator[str]:
        yield from _twice(f"{path}.gpus", "id", {i: gpu.id for i, gpu in enumerate(host.gpus)})
        if host.reserved_cpus > host.cpus:
            yield f"{path}.reserved_cpus: found {host.reserved_cpus:g}, expected at most its {host.cpus:g} CPUs"
        if host.reserved_memory_mib > host.memory_mib:
            found = f"found {host.reserved_memory_mib}, expected at most its {host.memory_mib} MiB"
            yield f"{path}.reserved_memory_mib: {found}"
        one_size = self.platform.why_one_size(host.vgpu_manager)
        for i, gpu in enumerate(host.gpus):
            model = self.catalogue.find(gpu.model)
            able = [sharing for sharing in SHARINGS if model.row_units(sharing)]
            asked = [("sharing", gpu.sharing)]
            asked += [(f"may_share[{j}]", sharing) for j, sharing in enumerate(gpu.may_share or ())]
            if not model.known and any(sharing not in able for _, sharing in asked):
                yield f"{path}.gpus[{i}].model: {self._unknown_model(gpu.model, able)}"
                continue
            for key, sharing in asked:
                if sharing not in able:
                    found = f"found {quote(sharing)}, which no {model.name} can stand in"
                    yield f"{path}.gpus[{i}].{key}: {found}; expected one of {', '.join(able)}"
                elif sharing == "mixed-size" and one_size is not None:
                    yield f"{path}.gpus[{i}].{key}: found 'mixed-size', {one_size}"
            yield from self._layout(f"{path}.gpus[{i}].mig_layout", gpu)
        for i, group in enumerate(host.nvlink_groups):
            for j, name in enumerate(group):
                if name not in host.gpu:
                    yield f"{path}.nvlink_groups[{i}][{j}]: {self._unknown('GPU', name, host.gpu, host.name)}"
            yield from _twice(f"{path}.nvlink_groups[{i}]", "", dict(enumerate(group)))

    def _layout(self, path: str, gpu: Gpu) -> Iterator[str]:
        """The MIG instances that a GPU keeps: its model has them, and they can be beside each other."""
        model, found = self.catalogue.find(gpu.model), list[tuple[Use, int | None]]()
        for i, one in enumerate(gpu.mig_layout or ()):
            profile, use = model.profile(one.profile), model.use("mig", profile=one.profile)
            if profile is None or use is None or profile.series is not None:
                have = [shape.name for shape in model.mig.instances] if model.mig else []
                expected = f"expected one of {', '.join(have)}" if have else f"and no {model.name} can stand in 'mig'"
                yield f"{path}[{i}].profile: found {quote(one.profile)}, {expected}"
                continue
            wrong = lays((*found, (use, one.slot)), model.row_units("mig"))
            if wrong:
                yield f"{path}[{i}]: found {one.profile} at slot {one.slot}: {'; '.join(wrong)}"
                continue
            found.append((use, one.slot))

    def _unknown_model(self, name: str, able: Iterable[str]) -> str:
        """The sentence for a GPU that is to be divided, of a model of which nobody has said how."""
        meant = self.catalogue.meant(name)
        near = f" ({' or '.join(meant)}?)" if meant else ""
        hint = "" if meant else self.hints(name, [one.name for one in self.catalogue.models])
        said = f"found {quote(name)}, expected a model of the catalogue{near} or of --gpu-models{hint}"
        return f"{said}; one that neither holds can stand in {' or '.join(able)} only"

    # VMs, and what they hold

    def _vm(self, path: str, vm: Vm) -> Iterator[str]:
        if vm.host is not None and vm.host not in self.host_names:
            yield f"{path}.host: {self._unknown('host', vm.host, self.host_names)}"
        elif vm.host is None and vm.power == "on":
            yield f"{path}: missing 'host': a VM that is on stands on a host"
        host = self.hosts.get(vm.host or "")
        for i, ask in enumerate(vm.gpus):
            at = f"{path}.gpus[{i}]"
            wrong = list(self._ask(at, ask))
            yield from wrong
            if vm.power != "on" and ask.at:
                yield f"{at}.at: found a GPU held by a VM that is {vm.power}, expected none"
            elif vm.power == "on" and len(ask.at) != ask.count:
                places = "1 place" if len(ask.at) == 1 else f"{len(ask.at)} places"
                yield f"{at}.at: found {places}, expected {ask.count}: where a VM that is on holds each of its GPUs"
            elif vm.power == "on" and host is not None and not wrong:
                yield from self._holds(at, vm, ask, host)

    def _ask(self, path: str, ask: Ask) -> Iterator[str]:
        if ask.profile is not None and ask.milli is not None:
            yield f"{path}: found both 'profile' and 'milli', expected one of them"
        if ask.profile is not None and ask.mode is not None:
            yield f"{path}.mode: found a mode beside a profile, expected none: profiles stand on graphics mode"
        if ask.profile is None:
            return
        having = self.catalogue.profile_models(ask.profile)
        if not having:
            near = self.hints(ask.profile, [one.name for model in self.catalogue.models for one in model.profiles])
            yield f"{path}.profile: found {quote(ask.profile)}, expected a profile of the catalogue's GPU models{near}"
        elif ask.models and not any(self.catalogue.find(name) in having for name in ask.models):
            yield f"{path}.profile: found {quote(ask.profile)}, which no {' or '.join(ask.models)} has"

    def _holds(self, path: str, vm: Vm, ask: Ask, host: Host) -> Iterator[str]:
        """What is wrong with the holds of one ask."""
        used: set[str] = set()
        for j, seat in enumerate(ask.at):
            at = f"{path}.at[{j}]"
            gpu = host.gpu.get(seat.gpu)
            if gpu is None:
                yield f"{at}.gpu: {self._unknown('GPU', seat.gpu, host.gpu, host.name)}"
            elif ask.milli is not None and gpu.id in used:
                yield f"{at}.gpu: found {quote(gpu.id)} again, expected the shares of one ask on different GPUs"
            else:
                used.add(gpu.id)
                hold = Hold(gpu.id, gpu.sharing, ask.profile, seat.slot, ask.milli)
                yield from self._hold(at, vm, ask, hold, gpu, host)

    def _hold(self, path: str, vm: Vm, ask: Ask, hold: Hold, gpu: Gpu, host: Host) -> Iterator[str]:
        """What is wrong with one hold, given what the VMs before it in the document hold."""
        where = f"GPU {gpu.id} of {host.name}"
        model = self.catalogue.find(gpu.model)
        if not accepts(self.catalogue, ask, gpu.model, gpu.mode):
            asked = " or ".join(ask.models or ("any GPU",))
            asked += f" in mode {ask.mode or 'graphics'}" if ask.whole else ""
            yield f"{path}.gpu: found {where} ({gpu.model} in mode {gpu.mode}), expected {asked}, as the VM asks"
            return
        use = use_of(self.cluster, gpu, hold)
        if use is None and ask.profile is not None and model.profile(ask.profile) is None:
            yield f"{path}.gpu: found {where} ({gpu.model}), which has no profile {quote(ask.profile)}"
            return
        if use is None:
            what = ask.profile or (f"{ask.milli}/1000" if ask.milli else "a whole GPU")
            yield f"{path}.gpu: found {where}, which stands in sharing '{gpu.sharing}' and cannot give {what} so"
            return
        if hold.slot is None and gpu.sharing in POSITIONAL:
            matters = f"in sharing '{gpu.sharing}' it matters where {ask.profile} is"
            yield f"{path}: missing 'slot': {matters}; legal: {', '.join(map(str, use.starts or ()))}"
            return
        if hold.slot and gpu.sharing in ("passthrough", "fraction"):
            yield f"{path}.slot: found {hold.slot}, expected none: in sharing '{gpu.sharing}' there are no slots"
            return
        yield from self._beside(path, where, vm, (use, unit_of(hold)), gpu, host)

    def _beside(
        self, path: str, where: str, vm: Vm, item: tuple[Use, int | None], gpu: Gpu, host: Host
    ) -> Iterator[str]:
        before = self.held.setdefault((host.name, gpu.id), [])
        others = list(dict.fromkeys(f"{name} itself" if name == vm.name else name for _, _, name in before))
        holders = few(others)
        if gpu.sharing == "passthrough" and before:
            yield f"{path}.gpu: found {where}, which {holders} holds; expected one holder: it stands in pass-through"
            return
        row = self.catalogue.find(gpu.model).row_units(gpu.sharing)
        now = lays((*((use, unit) for use, unit, _ in before), item), row)
        if now:
            also = f" (held also by {holders})" if holders else ""
            yield f"{path}: found {where} held against its rules: {'; '.join(now)}{also}"
            return
        before.append((*item, vm.name))


def _twice(path: str, key: str, names: Mapping[int, str]) -> Iterator[str]:
    first: dict[str, int] = {}
    for i, name in names.items():
        if name in first:
            at = f"{path}[{i}].{key}" if key else f"{path}[{i}]"
            yield f"{at}: found {quote(name)} again, which {path}[{first[name]}] has; expected each once"
        first.setdefault(name, i)
