"""The catalogue of GPU models: what each GPU can be divided into.

A GPU stands in one sharing; in each it is a short row of units (`placer_models.gpus_row`). The figures live in
`gpus/*.json`, each with the key of its source; a site adds models in a file of the same shape
(:meth:`Catalogue.with_file`). GPUs are keyed by model, never by a marketing name alone, because board codes hide
memory and form factor (NVC, NV7H).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

from placer_models import gpus_file
from placer_models.document import read_json
from placer_models.gpus_file import Mode, SameSizeRule, Series
from placer_models.gpus_layouts import Layout, Pick, layouts
from placer_models.gpus_model import SHARINGS, GpuModel, Instance, Mig, Profile, Sharing, profile_key, with_limit
from placer_models.gpus_row import Items, Use, free_slots, lays, room_for
from placer_models.shipped import GPUS

__all__ = [
    "SHARINGS",
    "Catalogue",
    "GpuModel",
    "Instance",
    "Items",
    "Layout",
    "Mig",
    "Mode",
    "Pick",
    "Profile",
    "SameSizeRule",
    "Series",
    "Sharing",
    "Use",
    "free_slots",
    "layouts",
    "lays",
    "room_for",
]

_MODE_SUFFIX = re.compile(r"\.(graphics|compute)$", re.IGNORECASE)
_FULL_Q_ONLY = ("Maxwell", "Pascal")
"""The generations of which a VM can have several vGPUs only of the full-size Q type (XML, NVC)."""


class Catalogue:
    """GPU models by name; immutable, safe to share between threads."""

    def __init__(self, models: Sequence[GpuModel], base: Catalogue | None = None) -> None:
        own = {_key(model.name) for model in models}
        kept = [model for model in base.models if _key(model.name) not in own] if base else []
        self.models: tuple[GpuModel, ...] = (*kept, *models)
        self._by_key = {**_keys(kept), **_keys(models)}
        self._unknown: dict[str, GpuModel] = {}
        self._found: dict[str, GpuModel] = {}

    @cached_property
    def _by_profile(self) -> Mapping[str, Sequence[GpuModel]]:
        found: dict[str, list[GpuModel]] = {}
        for model in self.models:
            for profile in model.profiles:
                found.setdefault(profile_key(profile.name), []).append(model)
        return found

    @classmethod
    def shipped(cls) -> Catalogue:
        """The models that come with placer."""
        return _shipped()

    def with_file(self, file: Path | str | object) -> Catalogue:
        """This catalogue with a site's own models from a path, or from the JSON values themselves; they override ours
        by name.

        Raises `placer_models.document.Faults` (a ValueError) with a sentence and a path for each fault, OSError when
        the file cannot be read.
        """
        if isinstance(file, (str, Path)):
            source, data = str(file), read_json(Path(file).read_bytes(), str(file))
        else:
            source, data = "the GPU models", file
        return Catalogue(_models(gpus_file.read(data, source)), self)

    def of_one_type(self, models: Iterable[GpuModel]) -> Catalogue:
        """This catalogue where all vGPUs of a same-size GPU of these models are to be of one type (UG8)."""
        changed = {model.name: replace(model, same_size_rule="type") for model in models}
        other = Catalogue([changed.get(model.name, model) for model in self.models])
        other._by_key = {key: changed.get(model.name, model) for key, model in self._by_key.items()}
        return other

    def find(self, name: str) -> GpuModel:
        """The model of this name: the catalogue's own, a board code, an alias, or one with the vendor's name in front.

        Letter case, blanks, hyphens and underscores do not matter, and a mode at the end (`Tesla M60.compute`) is
        passed over. A board code that several models share (`DC`) names none of them. What the catalogue does not hold
        gives a model with `known` False.
        """
        found = self._found.get(name)
        if found is None:
            bare = _MODE_SUFFIX.sub("", name)
            found = self._by_key.get(_key(bare))
            if found is None:
                found = self._unknown.setdefault(bare, GpuModel(bare, known=False, modes=("graphics", "compute")))
            self._found[name] = found
        return found

    def meant(self, name: str) -> list[str]:
        """The models that an unknown name could mean: several boards of one marketing name, say."""
        vendor, _, bare = _key(name).partition(" ")
        asked = bare if bare and vendor in {_key(model.vendor or "") for model in self.models} else _key(name)
        return [
            model.name
            for model in self.models
            if f"{_key(model.name)} ".startswith(f"{asked} ") or asked == _key(model.vgpu_prefix or "")
        ]

    def canonical(self, name: str) -> tuple[str, Mode]:
        """The catalogue's spelling of a name and the mode that it says: AHV appends `.compute` (AHV-PT); graphics
        otherwise.

        A name that the catalogue does not hold keeps its spelling.
        """
        suffix = _MODE_SUFFIX.search(name)
        mode: Mode = "compute" if suffix and suffix[1].lower() == "compute" else "graphics"
        return self.find(name).name, mode

    def profile_models(self, profile: str) -> tuple[GpuModel, ...]:
        """The models that have a profile; a MIG profile such as `1g.10gb` is of many, and not the same share of each.

        Takes the spellings of drivers (`GRID M60-1Q`, `NVIDIA A40-8Q`), of vSphere (`grid_a40-8q`,
        `nvidia_h100xm-80c`) and of MIG resources (`MIG 1g.10gb`, `mig-1g.10gb`, `nvidia.com/mig-1g.10gb.me`), in any
        letter case.
        """
        return tuple(self._by_profile.get(profile_key(profile), ()))


@cache
def _shipped() -> Catalogue:
    files = [gpus_file.trusted(file.read_bytes()) for file in sorted(GPUS.glob("*.json"))]
    return Catalogue([model for file in files for model in _models(file)])


def _keys(models: Iterable[GpuModel]) -> dict[str, GpuModel]:
    """Every name that means one of the models; names of their own before codes and aliases, and what two models claim
    is nobody's.
    """
    claims: dict[str, list[GpuModel]] = {}
    names: dict[str, GpuModel] = {}
    for model in models:
        names[_key(model.name)] = model
        for other in {
            _key(model.vgpu_prefix or model.name),
            *map(_key, model.aliases),
            *_with_vendor(model, model.aliases),
        }:
            claims.setdefault(other, []).append(model)
        for full in _with_vendor(model, [model.name]):
            names.setdefault(full, model)
    return {**{key: found[0] for key, found in claims.items() if len(found) == 1}, **names}


def _with_vendor(model: GpuModel, names: Iterable[str]) -> list[str]:
    # Not in front of board codes: "NVIDIA H200" is the name of the SXM module, the board code H200 is the NVL card.
    return [_key(f"{model.vendor} {name}") for name in names] if model.vendor else []


@cache
def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()


def _models(file: gpus_file.GpusFile) -> list[GpuModel]:
    return [_model(entry, file.sources) for entry in file.models]


def _model(entry: gpus_file.ModelEntry, sources: Mapping[str, str]) -> GpuModel:
    full = max((one.framebuffer_mib for one in entry.profiles), default=0)
    types = [_type(one, entry.architecture, one.framebuffer_mib == full) for one in entry.profiles]
    mig, instances = _mig(entry)
    mixed = entry.mixed_size
    mixed_source = {"mixed_starts": mixed.source} if mixed and mixed.source else {}
    return GpuModel(
        name=entry.name,
        vgpu_prefix=entry.vgpu_prefix,
        aliases=entry.aliases,
        vendor=entry.vendor,
        architecture=entry.architecture,
        memory_mib=entry.memory_gib and entry.memory_gib * 1024,
        gpus_per_board=entry.gpus_per_board,
        modes=entry.modes,
        mixed_size_supported=entry.mixed_size_supported,
        same_size_rule=entry.same_size_rule,
        fractional_multi_vgpu=entry.fractional_multi_vgpu,
        mmio_gib=entry.mmio_gib,
        pci_device=entry.pci_device,
        sriov_vgpu=entry.sriov_vgpu,
        profiles=(*types, *instances),
        mixed_starts={int(size): starts for size, starts in mixed.starts_by_gib.items()} if mixed else {},
        mig=mig,
        notes=(*entry.notes, *([entry.mig.note] if entry.mig and entry.mig.note else [])),
        value_sources={**entry.value_sources, **mixed_source},
        sources=sources,
    )


def _type(one: gpus_file.TypeEntry, architecture: str | None, full: bool) -> Profile:
    """A vGPU type; where a flag is not printed: series A and B never have CUDA nor company in a VM (XML, UG8, NVC)."""
    able = one.series in ("Q", "C")
    return Profile(
        name=one.name,
        series=one.series,
        framebuffer_mib=one.framebuffer_mib,
        max_per_gpu=one.max_per_gpu,
        cuda=able and (full or architecture != "Maxwell") if one.cuda is None else one.cuda,
        multi_vgpu=able and (full or architecture not in _FULL_Q_ONLY) if one.multi_vgpu is None else one.multi_vgpu,
        multi_vgpu_exclusive=one.multi_vgpu_exclusive,
        ecc=one.ecc,
        gpu_instance_profile=one.gpu_instance_profile,
        max_per_gpu_instance=one.max_per_gpu_instance,
        note=one.note,
        sources=one.sources,
    )


def _mig(entry: gpus_file.ModelEntry) -> tuple[Mig | None, tuple[Profile, ...]]:
    mig = entry.mig
    if mig is None:
        return None, ()
    shapes, profiles = [], []
    for one in mig.profiles:
        caps = with_limit(tuple(sorted(one.caps.items())), one.name, one.max_instances, one.starts or ())
        shapes.append(Instance(one.name, one.compute_slices or 0, one.memory_slices or 0, one.starts, caps))
        size = re.search(r"\.(\d+)gb", one.name)
        share = (entry.memory_gib or 0) * 1024 * (one.memory_slices or 0) // (mig.memory_slices or 1)
        source = tuple(key for key in (mig.profiles_source, mig.starts_source) if key)
        nominal = int(size[1]) * 1024 if size else share
        profiles.append(Profile(one.name, None, nominal, one.max_instances, cuda=True, multi_vgpu=True, sources=source))
    found = Mig(mig.memory_slices or 0, mig.compute_slices or 0, tuple(shapes), mig.starts_inferred)
    return found, tuple(profiles)
