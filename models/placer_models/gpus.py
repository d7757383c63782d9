"""The catalogue of GPU models: what each GPU can be divided into.

A GPU stands in one sharing; in each it is a short row of units (`placer_models.gpus_layouts`). The figures live in
`gpus/*.json`, each with the key of its source; a site adds models in a file of the same shape
(:meth:`Catalogue.with_file`). GPUs are keyed by model, never by a marketing name alone, because board codes hide
memory and form factor (NVC, NV7H).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from placer_models import gpus_file
from placer_models.document import read_json
from placer_models.gpus_file import Mode, SameSizeRule, Series
from placer_models.gpus_layouts import Held, Layout, Pick, Use, free_slots, layouts, lays

__all__ = [
    "SHARINGS",
    "Catalogue",
    "GpuModel",
    "Held",
    "Instance",
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
]

Sharing = Literal["passthrough", "same-size", "mixed-size", "mig", "fraction"]
SHARINGS: tuple[Sharing, ...] = get_args(Sharing)

_TYPE_PREFIX = re.compile(r"^((nvidia\.com/|(nvidia|grid|mig)[ _-])\s*)+", re.IGNORECASE)
_MODE_SUFFIX = re.compile(r"\.(graphics|compute)$", re.IGNORECASE)
_FULL_Q_ONLY = ("Maxwell", "Pascal")


@dataclass(frozen=True)
class Profile:
    """A named share of a GPU: a vGPU type (`A40-8Q`, MIG-backed `A100-2-10C`) or a plain MIG profile (`1g.10gb`).

    `series` is None for a plain MIG profile. `max_per_gpu` is the most in same-size mode, or on MIG instances;
    `framebuffer_mib` is nominal. `gpu_instance_profile` is the MIG profile that it stands on, None for a time-sliced
    type. `multi_vgpu`: a VM may have several; `multi_vgpu_exclusive`: not beside other types (1.5 of NVC, XML).
    `sources` are keys of `GpuModel.sources`.
    """

    name: str
    series: Series | None
    framebuffer_mib: int
    max_per_gpu: int | None
    cuda: bool
    multi_vgpu: bool
    multi_vgpu_exclusive: bool = False
    ecc: bool | None = None
    gpu_instance_profile: str | None = None
    max_per_gpu_instance: int = 1
    note: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Instance:
    """The shape of a MIG profile: its interval of memory slices, its compute slices, its limits; `starts` None: not
    sourced.
    """

    name: str
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...] | None
    caps: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Mig:
    """MIG geometry. Memory ranges must be disjoint; the starts alone keep the compute slices within the GPU (checked
    on reading).
    """

    memory_slices: int
    compute_slices: int
    instances: tuple[Instance, ...]
    starts_inferred: bool = False


@dataclass(frozen=True)
class GpuModel:
    """One physical GPU of a model (an M60 board is two of them).

    `known` is False for a name that the catalogue does not hold: such a GPU can only be passed through or shared by
    fractions. `value_sources` names the source key of each value, `sources` the address behind each key.
    """

    name: str
    known: bool = True
    vgpu_prefix: str | None = None
    aliases: tuple[str, ...] = ()
    vendor: str | None = None
    architecture: str | None = None
    memory_mib: int | None = None
    gpus_per_board: int = 1
    modes: tuple[Mode, ...] = ("graphics",)
    mixed_size_supported: bool = False
    same_size_rule: SameSizeRule = "size"
    fractional_multi_vgpu: bool = False
    mmio_gib: int | None = None
    pci_device: str | None = None
    sriov_vgpu: bool | None = None
    profiles: tuple[Profile, ...] = ()
    mixed_starts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    mig: Mig | None = None
    notes: tuple[str, ...] = ()
    value_sources: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def starts_inferred(self) -> bool:
        """Whether the MIG start positions are taken over from kindred models (no listing of this one was read)."""
        return self.mig is not None and self.mig.starts_inferred

    def row_units(self, sharing: Sharing) -> int:
        """The length of the row: 1 whole GPU, the most vGPUs of one size, GB, MIG memory slices, or thousandths; 0: no
        such sharing.
        """
        match sharing:
            case "passthrough":
                return 1
            case "fraction":
                return 1000
            case "same-size":
                return max((profile.max_per_gpu or 0 for profile in self._time_sliced), default=0)
            case "mixed-size":
                return (self.memory_mib or 0) // 1024 if self.mixed_starts else 0
            case "mig":
                return self.mig.memory_slices if self.mig else 0

    def use(
        self,
        sharing: Sharing,
        *,
        profile: str | None = None,
        milli: int | None = None,
        rule: SameSizeRule | None = None,
    ) -> Use | None:
        """What one item takes of this GPU's row; None: this model cannot serve that ask in that sharing.

        Neither `profile` nor `milli` means a whole GPU. `rule` overrides the model's same-size rule, for managers
        older than vGPU 15 and vSphere 8.0 U2, which want one type on a GPU (UG8, VM-83). Raises ValueError for a
        `milli` outside 1..1000, and for both asks at once.
        """
        if profile is not None and milli is not None:
            raise ValueError("an ask is a profile or a fraction, not both")
        if milli is not None and not 1 <= milli <= 1000:
            raise ValueError(f"found {milli} thousandths of a GPU, expected 1 to 1000")
        if profile is not None:
            found = self.profile(profile)
            return self._profile_use(sharing, found, rule or self.same_size_rule) if found else None
        if sharing == "fraction":
            return Use(milli or 1000, None, share_milli=milli or 1000)
        return Use(1, (0,)) if sharing == "passthrough" and milli is None else None

    def profile(self, name: str) -> Profile | None:
        """The profile of this name, in any spelling that :meth:`Catalogue.profile_models` takes."""
        return self._profiles.get(_profile_key(name))

    def sharings_for(self, profile: str) -> tuple[Sharing, ...]:
        """The sharings in which a profile can stand on this GPU."""
        return tuple(sharing for sharing in SHARINGS if self.use(sharing, profile=profile) is not None)

    def _profile_use(self, sharing: Sharing, profile: Profile, rule: SameSizeRule) -> Use | None:
        time_sliced = profile.series is not None and profile.gpu_instance_profile is None
        if sharing == "same-size" and time_sliced and profile.max_per_gpu:
            if rule == "type":
                return Use(1, tuple(range(profile.max_per_gpu)), profile.name, (), self._share(profile))
            most = self._most_of_size[profile.framebuffer_mib]
            caps = ((profile.name, profile.max_per_gpu),) if profile.max_per_gpu < most else ()
            return Use(1, tuple(range(most)), f"{profile.framebuffer_mib} MiB", caps, self._share(profile))
        if sharing == "mixed-size" and time_sliced and self.mixed_size_supported:
            size = round(profile.framebuffer_mib / 1024)
            starts = self.mixed_starts.get(size)
            return Use(size, starts, None, (), self._share(profile)) if starts else None
        if sharing == "mig" and self.mig and not time_sliced and profile.max_per_gpu_instance == 1:
            shape = next(
                one for one in self.mig.instances if one.name == (profile.gpu_instance_profile or profile.name)
            )
            share = (
                max(1, round(1000 * shape.memory_slices / self.mig.memory_slices)) if self.mig.memory_slices else 1000
            )
            return Use(shape.memory_slices, shape.starts, None, shape.caps, share) if shape.starts else None
        return None

    def _share(self, profile: Profile) -> int:
        return min(1000, max(1, round(1000 * profile.framebuffer_mib / (self.memory_mib or profile.framebuffer_mib))))

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        return {_profile_key(profile.name): profile for profile in self.profiles}

    @cached_property
    def _time_sliced(self) -> tuple[Profile, ...]:
        return tuple(one for one in self.profiles if one.series is not None and one.gpu_instance_profile is None)

    @cached_property
    def _most_of_size(self) -> dict[int, int]:
        most: dict[int, int] = {}
        for profile in self._time_sliced:
            most[profile.framebuffer_mib] = max(most.get(profile.framebuffer_mib, 0), profile.max_per_gpu or 0)
        return most


class Catalogue:
    """GPU models by name; immutable, safe to share between threads."""

    def __init__(self, models: Sequence[GpuModel], base: Catalogue | None = None) -> None:
        own = {_key(model.name) for model in models}
        kept = [model for model in base.models if _key(model.name) not in own] if base else []
        self.models: tuple[GpuModel, ...] = (*kept, *models)
        self._by_key = {**_keys(kept), **_keys(models)}
        self._unknown: dict[str, GpuModel] = {}
        self._by_profile: dict[str, list[GpuModel]] = {}
        for model in self.models:
            for profile in model.profiles:
                self._by_profile.setdefault(_profile_key(profile.name), []).append(model)

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

    def find(self, name: str) -> GpuModel:
        """The model of this name: the catalogue's own, a board code, an alias, or one with the vendor's name in front.

        Letter case, blanks, hyphens and underscores do not matter, and a mode at the end (`Tesla M60.compute`) is
        passed over. A board code that several models share (`DC`) names none of them. What the catalogue does not hold
        gives a model with `known` False.
        """
        bare = _MODE_SUFFIX.sub("", name)
        found = self._by_key.get(_key(bare))
        if found is None:
            found = self._unknown.setdefault(bare, GpuModel(bare, known=False, modes=("graphics", "compute")))
        return found

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
        return tuple(self._by_profile.get(_profile_key(profile), ()))


@cache
def _shipped() -> Catalogue:
    folder = files("placer_models") / "gpus"
    models: list[GpuModel] = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            models += _models(gpus_file.read(json.loads(file.read_bytes()), file.name))
    return Catalogue(models)


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


@cache
def _profile_key(name: str) -> str:
    bare = re.sub(r"[\s_-]+", "-", _TYPE_PREFIX.sub("", name.strip())).casefold()
    # Kubernetes resource names cannot hold "+": 1g.10gb+me is mig-1g.10gb.me there.
    return re.sub(r"(?<=gb)\.(?=me|gfx)", "+", bare)


def _models(file: gpus_file.GpusFile) -> list[GpuModel]:
    return [_model(entry, file.sources) for entry in file.models]


def _model(entry: gpus_file.ModelEntry, sources: Mapping[str, str]) -> GpuModel:
    full = max((one.framebuffer_mib for one in entry.profiles), default=0)

    def able(one: gpus_file.TypeEntry) -> bool:
        """CUDA, and several in one VM, where no flag is printed: Maxwell and Pascal differ from what came later (XML,
        UG8, NVC).
        """
        return one.series in "QC"

    def several(one: gpus_file.TypeEntry) -> bool:
        return one.series in "QC" and (entry.architecture not in _FULL_Q_ONLY or one.framebuffer_mib == full)

    def cuda(one: gpus_file.TypeEntry) -> bool:
        return able(one) and (entry.architecture != "Maxwell" or one.framebuffer_mib == full)

    types = tuple(
        Profile(
            one.name,
            one.series,
            one.framebuffer_mib,
            one.max_per_gpu,
            cuda(one) if one.cuda is None else one.cuda,
            several(one) if one.multi_vgpu is None else one.multi_vgpu,
            one.multi_vgpu_exclusive,
            one.ecc,
            one.gpu_instance_profile,
            one.max_per_gpu_instance,
            one.note,
            one.sources,
        )
        for one in entry.profiles
    )
    mig, instances = _mig(entry)
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
        mixed_starts={int(size): starts for size, starts in entry.mixed_size.starts_by_gib.items()}
        if entry.mixed_size
        else {},
        mig=mig,
        notes=entry.notes,
        value_sources=entry.value_sources,
        sources=sources,
    )


def _mig(entry: gpus_file.ModelEntry) -> tuple[Mig | None, tuple[Profile, ...]]:
    mig = entry.mig
    if mig is None:
        return None, ()
    shapes, profiles = [], []
    for one in mig.profiles:
        caps = dict(one.caps)
        if one.starts and one.max_instances and one.max_instances < len(one.starts) and not caps:
            caps[one.name] = one.max_instances
        shapes.append(
            Instance(one.name, one.compute_slices or 0, one.memory_slices or 0, one.starts, tuple(sorted(caps.items())))
        )
        size = re.search(r"\.(\d+)gb", one.name)
        share = (entry.memory_gib or 0) * 1024 * (one.memory_slices or 0) // (mig.memory_slices or 1)
        source = tuple(key for key in (mig.profiles_source, mig.starts_source) if key)
        nominal = int(size[1]) * 1024 if size else share
        profiles.append(Profile(one.name, None, nominal, one.max_instances, cuda=True, multi_vgpu=True, sources=source))
    found = Mig(mig.memory_slices or 0, mig.compute_slices or 0, tuple(shapes), mig.starts_inferred)
    return found, tuple(profiles)
