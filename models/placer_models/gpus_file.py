"""The files that GPU models come from: ours in `gpus/*.json`, and a site's own, in the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from placer_models.document import Document, Faults, Name, parse
from placer_models.faults import at

Mode = Literal["graphics", "compute"]
Series = Literal["A", "B", "C", "Q"]
SameSizeRule = Literal["size", "type"]
Amount = Annotated[int, Field(ge=1, le=2**20)]
Unit = Annotated[int, Field(ge=0, lt=1024)]
Starts = Annotated[tuple[Unit, ...], Field(min_length=1)]


class TypeEntry(Document):
    """A vGPU type. `gpu_instance_profile` names the MIG instance that it stands on, where it is MIG-backed."""

    name: Name
    series: Series
    framebuffer_mib: Amount
    max_per_gpu: Amount | None = None
    max_per_gpu_instance: Amount = 1
    gpu_instance_profile: Name | None = None
    max_per_gpu_mixed: Amount | None = None
    max_as_printed: Amount | None = None
    cuda: bool | None = None
    ecc: bool | None = None
    multi_vgpu: bool | None = None
    multi_vgpu_exclusive: bool = False
    note: str | None = None
    sources: tuple[Name, ...] = ()


class InstanceEntry(Document):
    """A MIG profile. Without `starts` it is known by name only: nothing can be placed on it."""

    name: Name
    id: Unit | None = None
    compute_slices: Amount | None = None
    memory_slices: Amount | None = None
    starts: Starts | None = None
    max_instances: Amount | None = None
    caps: dict[Name, Amount] = Field(default_factory=dict)


class MigEntry(Document):
    """MIG geometry; `starts_inferred` says that no listing of this very model was read."""

    compute_slices: Amount | None = None
    memory_slices: Annotated[int, Field(ge=1, le=1024)] | None = None
    profiles_source: Name | None = None
    starts_source: Name | None = None
    starts_inferred: bool = False
    note: str | None = None
    profiles: tuple[InstanceEntry, ...]


class MixedEntry(Document):
    """Placement IDs in mixed-size mode: for each size in GB the legal start offsets in GB."""

    source: Name | None = None
    starts_by_gib: dict[Annotated[str, Field(pattern=r"^[1-9]\d{0,2}$")], Starts]


class ModelEntry(Document):
    """One GPU model: one physical GPU of a board, not the board."""

    name: Name
    vgpu_prefix: Name | None = None
    aliases: tuple[Name, ...] = ()
    vendor: Name = "NVIDIA"
    architecture: Name | None = None
    memory_gib: Annotated[int, Field(ge=1, le=1024)] | None = None
    gpus_per_board: Amount = 1
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)] = ("graphics",)
    pci_device: Name | None = None
    mmio_gib: Amount | None = None
    fractional_multi_vgpu: bool = False
    sriov_vgpu: bool | None = None
    same_size_rule: SameSizeRule = "size"
    mixed_size_supported: bool = False
    mixed_size: MixedEntry | None = None
    mig: MigEntry | None = None
    notes: tuple[str, ...] = ()
    value_sources: dict[Name, Name] = Field(default_factory=dict)
    profiles: tuple[TypeEntry, ...] = ()


class GpusFile(Document):
    """A file of GPU models; `sources` gives the address behind each source key that its values name."""

    format: Literal["placer.gpus/1"]
    sources: dict[Name, str] = Field(default_factory=dict)
    models: tuple[ModelEntry, ...]


def read(data: object, source: str) -> GpusFile:
    """The checked file; its faults together as :class:`Faults`, a sentence with its path for each."""
    file = parse(GpusFile, data, source)
    if found := list(_faults(file)):
        raise Faults(source, found)
    return file


def trusted(data: bytes) -> GpusFile:
    """A file that comes with placer: its tests have looked for faults between its parts, so that no start need."""
    return GpusFile.model_validate_json(data)


def _faults(file: GpusFile) -> Iterator[str]:
    yield from _twice([model.name for model in file.models], "models")
    for number, model in enumerate(file.models):
        path = f"models[{number}]"
        yield from _model_faults(model, path)
        for place, key in _sources(model, path):
            if key not in file.sources:
                yield at(place, f"found '{key}', expected a key of sources")


def _model_faults(model: ModelEntry, path: str) -> Iterator[str]:
    names = [entry.name for entry in model.profiles]
    yield from _twice(names, f"{path}.profiles")
    instances = {entry.name for entry in model.mig.profiles} if model.mig else set[str]()
    for i, entry in enumerate(model.profiles):
        place = f"{path}.profiles[{i}]"
        backing = entry.gpu_instance_profile
        if backing is not None and backing not in instances:
            yield at(f"{place}.gpu_instance_profile", f"found '{backing}', expected a profile of this model's mig")
        size, whole = entry.framebuffer_mib, (model.memory_gib or 0) * 1024
        if whole and backing is None and entry.max_per_gpu and size * entry.max_per_gpu > whole:
            yield at(f"{place}.max_per_gpu", f"{entry.max_per_gpu} x {size} MiB exceed the GPU's {whole} MiB")
    if model.mixed_size:
        for text, starts in model.mixed_size.starts_by_gib.items():
            place = f"{path}.mixed_size.starts_by_gib.{text}"
            yield from _starts_faults(starts, int(text), model.memory_gib, place, "memory_gib")
    if model.mig:
        yield from _twice([entry.name for entry in model.mig.profiles], f"{path}.mig.profiles")
        for i, instance in enumerate(model.mig.profiles):
            if instance.starts is not None:
                place = f"{path}.mig.profiles[{i}].starts"
                yield from _starts_faults(
                    instance.starts, instance.memory_slices, model.mig.memory_slices, place, "memory_slices"
                )
        if model.mig.compute_slices and _most_compute(model.mig) > model.mig.compute_slices:
            yield at(
                f"{path}.mig.profiles",
                f"the starts let more than {model.mig.compute_slices} compute slices stand on the GPU",
            )


def _starts_faults(starts: Starts, size: int | None, row: int | None, path: str, of: str) -> Iterator[str]:
    if size is None or row is None:
        yield at(path, f"starts need {of}")
    elif list(starts) != sorted(set(starts)):
        yield at(path, "expected ascending starts, each once")
    elif starts[-1] + size > row:
        yield at(path, f"start {starts[-1]} with length {size} ends beyond the GPU's {row}")


def _most_compute(mig: MigEntry) -> int:
    """The most compute slices that instances with disjoint memory can hold: the geometry must keep it within the GPU
    by itself.
    """
    best = [0] * ((mig.memory_slices or 0) + 1)
    for unit in range(1, len(best)):
        best[unit] = best[unit - 1]
        for entry in mig.profiles:
            start = unit - (entry.memory_slices or 0)
            if entry.starts and start in entry.starts:
                best[unit] = max(best[unit], best[start] + (entry.compute_slices or 0))
    return best[-1]


def _twice(names: list[str], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name.casefold() in seen:
            yield at(f"{path}[{i}].name", f"'{name}' stands there twice")
        seen.add(name.casefold())


def _sources(model: ModelEntry, path: str) -> Iterator[tuple[str, str]]:
    for field, key in model.value_sources.items():
        yield f"{path}.value_sources.{field}", key
    for i, entry in enumerate(model.profiles):
        for key in entry.sources:
            yield f"{path}.profiles[{i}].sources", key
    if model.mixed_size and model.mixed_size.source:
        yield f"{path}.mixed_size.source", model.mixed_size.source
    if model.mig:
        for field in ("profiles_source", "starts_source"):
            if key := getattr(model.mig, field):
                yield f"{path}.mig.{field}", key
