"""What an item of a VM's ask takes of a GPU, and what a GPU holds: the row of units (`placer_models.gpus`) meets models
and modes, and CUDA.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from placer_models.cluster import Ask, Cluster, Gpu, Host, Instances, Needs
from placer_models.gpus import Catalogue, GpuModel, Sharing, Use
from placer_models.gpus_model import profile_key
from placer_models.scene import Hold, Scene

POSITIONAL: tuple[Sharing, ...] = ("mixed-size", "mig")
"""Sharings in which it matters where on the GPU an item is."""

Held = tuple[tuple[Use, int | None], ...]
"""What a GPU holds: each item's use of the row, and its slot."""


def model_of(cluster: Cluster, gpu: Gpu) -> GpuModel:
    """The catalogue's model of a GPU."""
    return cluster.catalogue.find(gpu.model)


@lru_cache(maxsize=65536)
def accepts(catalogue: Catalogue, ask: Ask, model: str, mode: str) -> bool:
    """Whether an ask's models and mode take in a GPU of this model and mode.

    A whole GPU is asked for in one firmware mode (graphics unless it says compute, or names "....compute"); a profile
    stands on the graphics mode of models that have both (UG4.3); a share does not mind.
    """
    have, gpu_mode = catalogue.canonical(model)
    if mode == "compute":
        gpu_mode = "compute"
    wanted = [catalogue.canonical(name) for name in ask.models or (have,)]
    if ask.models is None:
        wanted = [(have, "graphics")]
    if ask.whole:
        return any(name == have and (ask.mode or wanted_mode) == gpu_mode for name, wanted_mode in wanted)
    if not any(name == have for name, _ in wanted):
        return False
    if ask.profile is not None:
        return gpu_mode == "graphics" or len(catalogue.find(model).modes) < 2
    return ask.mode is None or ask.mode == gpu_mode


@lru_cache(maxsize=65536)
def _use(
    catalogue: Catalogue, ask: Ask, cuda: bool, make: tuple[str, str, Instances | None], sharing: Sharing
) -> Use | None:
    model, mode, instances = make
    if not accepts(catalogue, ask, model, mode):
        return None
    gpu = catalogue.find(model)
    if ask.profile is not None and cuda:
        profile = gpu.profile(ask.profile)
        if profile is None or not profile.cuda:
            return None
    if ask.whole and sharing == "fraction":
        return gpu.use(sharing, milli=1000)
    return _kept(gpu, instances, sharing, ask.profile, gpu.use(sharing, profile=ask.profile, milli=ask.milli))


def _kept(
    model: GpuModel, instances: Instances | None, sharing: Sharing, profile: str | None, use: Use | None
) -> Use | None:
    """What an item takes where a MIG layout is kept: one of its instances."""
    if use is None or instances is None or sharing != "mig":
        return use
    found = model.profile(profile or "")
    shape = profile_key(found.gpu_instance_profile or found.name) if found else ""
    starts = tuple(start for start in use.starts or () if (shape, start) in instances)
    return replace(use, starts=starts) if starts else None


def use_for(cluster: Cluster, ask: Ask, needs: Needs, gpu: Gpu, sharing: Sharing) -> Use | None:
    """What one item of an ask takes of this GPU's row in this sharing; None: it cannot be served so.

    A whole GPU is served by pass-through, and by a free GPU that stands in `fraction`.
    """
    return _use(cluster.catalogue, ask, needs.cuda, gpu.make, sharing)


@lru_cache(maxsize=65536)
def _use_held(
    catalogue: Catalogue,
    model: str,
    instances: Instances | None,
    sharing: Sharing,
    profile: str | None,
    milli: int | None,
) -> Use | None:
    gpu = catalogue.find(model)
    if profile is None and milli is None and sharing == "fraction":
        return gpu.use(sharing, milli=1000)
    return _kept(gpu, instances, sharing, profile, gpu.use(sharing, profile=profile, milli=milli))


def use_of(cluster: Cluster, gpu: Gpu, hold: Hold) -> Use | None:
    """What a hold takes of its GPU's row; None: the GPU cannot serve such a hold."""
    return _use_held(cluster.catalogue, gpu.model, gpu.instances, hold.sharing, hold.profile, hold.milli)


def unit_of(hold: Hold) -> int | None:
    """The unit of the row at which a hold begins: a whole GPU begins at the first."""
    return 0 if hold.sharing == "passthrough" else hold.slot


def held(scene: Scene, host: Host, gpu: Gpu) -> Held:
    """What a GPU holds in a scene (holds that it cannot serve are left out; the gpu rule reports them)."""
    uses = ((use_of(scene.cluster, gpu, hold), unit_of(hold)) for _, hold in scene.holders(host.name, gpu.id))
    return tuple((use, slot) for use, slot in uses if use is not None)
