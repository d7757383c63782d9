"""Faults planted in the rules, on one side only (the solver's or the judge's): the agreement check must turn red."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import pytest

from placer.solve import after_loss
from placer_models.goals import balance, hosts_touched, moves, should
from placer_models.rules import (
    affinity,
    apart,
    capacity,
    failover,
    failover_sites,
    gpu,
    gpu_board,
    gpu_dealing,
    gpu_rows,
    host_state,
    limit,
    reserve,
    restarts,
    resume,
    stay,
    together,
)
from tests.agreement import Agreement, World
from tests.worlds import WORLDS


@dataclass(frozen=True)
class Fault:
    """A piece of the source of a `room` that another takes the place of; the worlds about `about` must tell."""

    about: str
    name: str
    room: ModuleType
    sound: str
    planted: str


FAULTS = [
    Fault(
        "host-state",
        "the judge takes a disconnected host for one that is up",
        host_state,
        'if host.state != "up":',
        'if host.state == "maintenance":',
    ),
    Fault("host-state", "the solver admits anybody", host_state, 'return host.state == "up"', "return True"),
    Fault("resume", "the judge compares nothing", resume, "if refused:", "if False:"),
    Fault(
        "affinity", "the solver bars the right hosts", affinity, "if not self._allows(place", "if self._allows(place"
    ),
    Fault("affinity", "the solver holds every VM to it", affinity, "not self.names_vm(vm) or ", ""),
    Fault(
        "affinity",
        "the judge looks at the first host only",
        affinity,
        "in hosts if hosts is not None else scene.cluster.hosts",
        'in ["h1"]',
    ),
    Fault(
        "affinity",
        "the goal should forgets should-not",
        should,
        "if rule.soft ",
        'if rule.soft and "not" not in str(rule) ',
    ),
    Fault(
        "capacity",
        "the solver gives a thousandth of a CPU too much",
        capacity,
        "place.m * host.cpu_room_milli",
        "place.m * host.cpu_room_milli + 1",
    ),
    Fault(
        "capacity",
        "the judge wants some CPU left: < for <=",
        capacity,
        "over = use.cpu_milli - host.cpu_room_milli",
        "over = use.cpu_milli - host.cpu_room_milli + 1",
    ),
    Fault(
        "capacity",
        "the solver over-commits the memory of GPU VMs",
        capacity,
        "((_weight(vms.vm, host), count)",
        "((vms.vm.memory_mib * 1000, count)",
    ),
    Fault(
        "capacity",
        "the judge lets a VM that is too big come for another",
        capacity,
        "yield from self._too_big(scene, host)",
        "pass",
    ),
    Fault(
        "capacity",
        "the goal balance rounds down",
        balance,
        "(-(-1000 * given // room)",
        "(1000 * given // room",
    ),
    Fault("hosts alike", "m is forgotten for CPUs", capacity, "place.m * host.cpu_room_milli", "host.cpu_room_milli"),
    Fault("hosts alike", "m is forgotten for VMs apart", apart, "place.m if", "1 if"),
    Fault("hosts alike", "m is forgotten for limits", limit, "self.most_vms * place.m", "self.most_vms"),
    Fault("hosts alike", "m is forgotten for GPUs", gpu_rows, "row.size += place.m", "row.size += 1"),
    Fault(
        "apart",
        "the solver lets two be together",
        apart,
        "board.at_most(terms, sizes[domain])",
        "board.at_most(terms, 2)",
    ),
    Fault(
        "apart",
        "the solver forgets the label",
        apart,
        "domain = self._domain(place.host)",
        'domain = ("host", place.host.name)',
    ),
    Fault(
        "apart",
        "the judge forgets the last VM",
        apart,
        "in self.members(scene.cluster):\n            for stand",
        "in list(self.members(scene.cluster))[:-1]:\n            for stand",
    ),
    Fault(
        "together",
        "two places are together for the solver",
        together,
        "board.at_most(used, 1)",
        "board.at_most(used, 2)",
    ),
    Fault("together", "the solver forgets what is scattered now", together, "int(domain in now)", "0"),
    Fault("together", "the judge lets one place more pass", together, "if len(domains) > 1:", "if len(domains) > 2:"),
    Fault(
        "limit",
        "the solver allows one VM less: < for <=",
        limit,
        "self.most_vms * place.m",
        "self.most_vms * place.m - 1",
    ),
    Fault(
        "limit",
        "the judge forgets the last host",
        limit,
        "in scene.cluster.hosts if self.most_hosts is not None or hosts is None else hosts:",
        "in list(scene.cluster.hosts)[:-1]:",
    ),
    Fault(
        "limit",
        "the solver takes a licence for every VM",
        limit,
        "for vm in self.members(board.scene.cluster)}",
        "for vm in board.scene.cluster.vms.values()}",
    ),
    Fault("stay", "the solver lets go who stays", stay, "board.equal([(1, count)], len(vms.names))", "pass"),
    Fault("stay", "the judge looks at nobody", stay, 'vm.power == "on"', 'vm.power == "off"'),
    Fault("stay", "the goal moves counts who stays at home", moves, "if vms.moving]", "if vms.moving or vms.host]"),
    Fault(
        "stay",
        "the goal hosts-touched does not see moves",
        hosts_touched,
        "if stand.host not in {was.host for was in before.of(stand.vm)}",
        "if not before.of(stand.vm)",
    ),
    Fault(
        "reserve",
        "the solver forgets that the first host may be lost",
        reserve,
        "for host in self._lost(cluster) if kinds else ():",
        "for host in [*self._lost(cluster)][1:] if kinds else ():",
    ),
    Fault(
        "reserve",
        "the solver lets one VM more stay off",
        reserve,
        "0 if self.soft else len(now.missed)",
        "0 if self.soft else len(now.missed) + 1",
    ),
    Fault(
        "reserve",
        "the judge starts VMs again on the lost host",
        failover,
        "chain(self._names[at + 1 :], self._names[:at])",
        "chain(self._names[at:], self._names[:at])",
    ),
    Fault("reserve", "the judge never looks back", restarts, "while len(best.missed) > least:", "while False:"),
    Fault(
        "reserve",
        "the judge forgets what is broken now",
        failover_sites,
        "breach.amount <= amounts.get(breach.subject, 0)",
        "breach.amount <= 0",
    ),
    Fault(
        "reserve",
        "the solver forgets that the lost host is gone",
        after_loss,
        'self._where.append((still, place, board.integer(0, "gone", board.present(count))))',
        "self._where.append((still, place, count))",
    ),
    Fault(
        "reserve of GPUs", "the solver forgets what other GPUs hold", after_loss, "tuple(holds), (), []", "(), (), []"
    ),
    Fault(
        "reserve of GPUs",
        "the judge seats each VM as it comes",
        failover_sites,
        "return Seats(scene, host, vms).found() if first else None",
        "return None",
    ),
    Fault(
        "passthrough",
        "the judge lets two VMs share a GPU",
        gpu,
        "return unknown + lays(",
        'return unknown if sharing == "passthrough" else unknown + lays(',
    ),
    Fault(
        "passthrough",
        "the solver takes one mode for the other",
        gpu_board,
        "demand.needs, row.gpu, sharing)",
        'demand.needs, row.gpu.model_copy(update={"mode": "graphics"}), sharing)',
    ),
    Fault("passthrough", "the solver forgets boards and NUMA nodes", gpu_board, "if allowed is not None:", "if False:"),
    Fault("passthrough", "GPUs on different boards are alike to the solver", gpu_rows, "marks.get(gpu.id),", "None,"),
    Fault(
        "same-size",
        "CUDA does not matter to the judge",
        gpu,
        "use_for(cluster, ask, vm.needs, gpu, hold.sharing) is None",
        "use_for(cluster, ask, type(vm.needs)(), gpu, hold.sharing) is None",
    ),
    Fault(
        "same-size",
        "the judge lets sizes be mixed",
        gpu,
        "return unknown + lays(",
        'return unknown if sharing == "same-size" and len(uses) == 2 else unknown + lays(',
    ),
    Fault(
        "same-size",
        "the solver has room for one vGPU only",
        gpu_board,
        "found = layouts(uses, units, holds, maximal=not self.exact, pick=pick)",
        "found = [one for one in layouts(uses, units, holds, maximal=False) if sum(one.counts) < 2]",
    ),
    Fault(
        "same-size",
        "the judge does not mind the series of vGPUs in one VM",
        gpu,
        "return misfit(cluster, vm)",
        "return None",
    ),
    Fault(
        "mixed-size",
        "a slot is off by one",
        gpu_dealing,
        "seats[choice.kinds[index]].append((order, gpu, slot))",
        "seats[choice.kinds[index]].append((order, gpu, slot and slot + 1))",
    ),
    Fault(
        "mixed-size",
        "the judge lets slots overlap",
        gpu,
        "return unknown + lays(",
        'return unknown if sharing == "mixed-size" else unknown + lays(',
    ),
    Fault(
        "mixed-size",
        "nobody leaves a GPU for the solver",
        gpu_rows,
        "range(len(group), -1, -1)",
        "range(len(group), len(group) - 1, -1)",
    ),
    Fault(
        "mig",
        "the solver forgets at which slot an instance stands",
        gpu_board,
        "leavings(narrowed):\n            holds = (*row.fixed, *(",
        "leavings(narrowed):\n            holds = (*((use, (use.starts or (None,))[0]) for use, _ in row.fixed), *(",
    ),
    Fault(
        "mig",
        "the judge lets a media extension be had twice",
        gpu,
        "if use is not None), row)",
        'if use is not None and "+me" not in (hold.profile or "")), row)',
    ),
    Fault("passthrough", "the solver forgets the second GPU", gpu_rows, "row.size += place.m", "row.size = place.m"),
    Fault(
        "fraction",
        "the solver puts two shares of one ask on one GPU",
        gpu_board,
        "self._keep_apart(demand, kinds)",
        "pass",
    ),
    Fault(
        "fraction",
        "the judge lets two shares of one ask be on one GPU",
        gpu,
        "if ask.milli is not None and len(set(gpus))",
        "if ask.profile is not None and len(set(gpus))",
    ),
    Fault(
        "fraction",
        "a GPU has 1001 thousandths for the solver",
        gpu_board,
        "found = layouts(uses, units, holds,",
        "found = layouts(uses, units + 1, holds,",
    ),
    Fault(
        "other sharings",
        "the judge lets a GPU be put in any sharing",
        gpu,
        "if sharing not in gpu.sharings:",
        "if False:",
    ),
    Fault(
        "other sharings",
        "the solver knows the present sharing only",
        gpu_rows,
        "else (now, *(other for other in gpu.sharings if other != now))",
        "else (now,)",
    ),
    Fault(
        "slots by turn",
        "the solver chooses the slots itself",
        gpu_board,
        'pick = self.pick if sharing in POSITIONAL else "any"',
        'pick = "any"',
    ),
    Fault(
        "slots by turn",
        "the solver starts VMs in any order",
        gpu_dealing,
        "arrived.sort(key=lambda entry: entry[:2])",
        "arrived.sort(key=lambda entry: (-entry[0], entry[1]))",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.about}: {fault.name}")
def test_a_planted_fault_turns_the_agreement_red(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(fault, monkeypatch)
    assert any(_red(world) for world in WORLDS[fault.about])


def _red(world: World) -> bool:
    try:
        return any(Agreement(world).disagreements())
    except AssertionError:  # a board that cannot even be read
        return True


def plant(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the functions of the altered room in the place of the sound ones, wherever they are used."""
    source = inspect.getsource(fault.room)
    assert source.count(fault.sound) == 1, f"the source says {fault.sound!r} {source.count(fault.sound)} times"
    altered: dict[str, Any] = {"__name__": fault.room.__name__}
    exec(compile(source.replace(fault.sound, fault.planted), str(fault.room.__file__), "exec"), altered)
    for owner, name in _functions(fault.room):
        new = altered[owner.__name__].__dict__[name] if isinstance(owner, type) else altered[name]
        if isinstance(owner, type):
            monkeypatch.setattr(owner, name, new)
            continue
        old = getattr(owner, name)
        for module in [
            module for key, module in sys.modules.items() if key.partition(".")[0] in ("placer", "placer_models")
        ]:
            if getattr(module, name, None) is old:
                monkeypatch.setattr(module, name, new)


def _functions(room: ModuleType) -> Iterator[tuple[Any, str]]:
    for name, value in vars(room).items():
        if isinstance(value, FunctionType) and value.__module__ == room.__name__:
            yield room, name
        if isinstance(value, type) and value.__module__ == room.__name__:
            for method, function in vars(value).items():
                if isinstance(function, FunctionType) and (method == "__init__" or not method.startswith("__")):
                    yield value, method
