"""A cluster as it stands, as tables."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType

from placer.report.console import MOST_ROWS, cut, plain, row, table, to_text
from placer_models.cluster import with_mode
from placer_models.view import GpuView, Holder, View
from placer_models.words import and_more


def view_text(view: View, *, to_terminal: bool) -> str:
    """The hosts and their GPUs, what could still start, and the sums by GPU model."""
    hosts = table("host", "state", "VMs", "CPUs", "memory GiB", "GPUs", right=("VMs", "CPUs", "memory GiB"))
    gpus = table("host", "GPU", "model", "sharing", "held by", "free", "could still take", right=("free",))
    shown = 0
    for host in view.hosts[:MOST_ROWS]:
        memory = f"{host.memory_used_mib / 1024:.4g}/{host.memory_mib / 1024:.4g}"
        row(hosts, host.name, host.state, host.vms, f"{host.cpus_used:g}/{host.cpus:g}", memory, len(host.gpus))
        for gpu in host.gpus:
            shown += 1
            if shown <= MOST_ROWS:
                row(gpus, host.name, gpu.id, with_mode(gpu.model, gpu.mode), gpu.sharing, *_gpu(gpu))
    parts: list[RenderableType] = [hosts]
    parts += [line for line in [cut(len(view.hosts), MOST_ROWS, "hosts (--format json has all)")] if line]
    count = sum(len(host.gpus) for host in view.hosts)
    if count:
        parts.append(gpus)
        parts += [line for line in [cut(count, min(shown, MOST_ROWS), "GPUs (--format json has all)")] if line]
        sums = table("model", "GPUs", "not up", "empty", "free", "stranded", right=("GPUs", "not up", "empty", "free"))
        for total in view.totals:
            lost = share(total.stranded_milli) + _gib(total.stranded_mib)
            row(sums, total.model, total.gpus, total.not_up, total.empty, share(total.free_milli), lost)
        parts.append(sums)
    if view.more:
        parts.append(plain(f"could still start, by GPUs alone: {_more(view.more)}"))
    parts.append(plain(f"{view.running} VMs run, {view.asked} are asked for"))
    parts += [plain(f"broken now: {sentence}") for sentence in view.broken_now[:MOST_ROWS]]
    return to_text(parts, colours=to_terminal)


def share(milli: int) -> str:
    """Thousandths of a GPU as a decimal number of GPUs."""
    return f"{milli / 1000:g}"


def _gpu(gpu: GpuView) -> tuple[str, str, str]:
    held = and_more([_holder(holder) for holder in gpu.holders], 4)
    lost = f"; {share(gpu.stranded_milli)} stranded{_gib(gpu.stranded_mib)}" if gpu.stranded_milli else ""
    return held, share(gpu.free_milli), _more(gpu.more) + lost


def _holder(holder: Holder) -> str:
    what = holder.profile or (f"{holder.milli}/1000" if holder.milli is not None else "")
    if what and holder.slot is not None:
        what += f" at {holder.slot}"
    return f"{holder.vm} ({what})" if what else holder.vm


def _more(more: Mapping[str, int]) -> str:
    return " or ".join(f"{count} {name}" for name, count in more.items() if count)


def _gib(mib: int | None) -> str:
    return f" ({mib / 1024:.4g} GiB)" if mib else ""
