"""One GPU model: its profiles, its MIG geometry, and what an item takes of its row of units in each sharing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal, get_args

from placer_models.gpus_file import Mode, SameSizeRule, Series
from placer_models.gpus_row import Use

Sharing = Literal["passthrough", "same-size", "mixed-size", "mig", "fraction"]
SHARINGS: tuple[Sharing, ...] = get_args(Sharing)

_PROFILE_PREFIX = re.compile(r"^((nvidia\.com/|(nvidia|grid|mig)[ _-])\s*)+", re.IGNORECASE)


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
        return self._profiles.get(profile_key(name))

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
            backing = profile.gpu_instance_profile or profile.name
            shape = next(one for one in self.mig.instances if one.name == backing)
            if shape.starts is None:
                return None
            share = max(1, round(1000 * shape.memory_slices / self.mig.memory_slices))
            limits = with_limit(shape.caps, profile.name, profile.max_per_gpu, shape.starts)
            return Use(shape.memory_slices, shape.starts, None, limits, share)
        return None

    def _share(self, profile: Profile) -> int:
        return min(1000, max(1, round(1000 * profile.framebuffer_mib / (self.memory_mib or profile.framebuffer_mib))))

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        return {profile_key(profile.name): profile for profile in self.profiles}

    @cached_property
    def _time_sliced(self) -> tuple[Profile, ...]:
        return tuple(one for one in self.profiles if one.series is not None and one.gpu_instance_profile is None)

    @cached_property
    def _most_of_size(self) -> dict[int, int]:
        most: dict[int, int] = {}
        for profile in self._time_sliced:
            most[profile.framebuffer_mib] = max(most.get(profile.framebuffer_mib, 0), profile.max_per_gpu or 0)
        return most


@cache
def profile_key(name: str) -> str:
    """One key for all spellings of a profile's name, see `Catalogue.profile_models`."""
    bare = re.sub(r"[\s_-]+", "-", _PROFILE_PREFIX.sub("", name.strip())).casefold()
    # Kubernetes resource names cannot hold "+": 1g.10gb+me is mig-1g.10gb.me there.
    return re.sub(r"(?<=gb)\.(?=me|gfx)", "+", bare)


def with_limit(
    caps: tuple[tuple[str, int], ...], name: str, most: int | None, starts: tuple[int, ...]
) -> tuple[tuple[str, int], ...]:
    """The named limits with one more, where neither the starts nor the other limits keep the number down already."""
    return (*caps, (name, most)) if most and most < min([len(starts), *(limit for _, limit in caps)]) else caps
