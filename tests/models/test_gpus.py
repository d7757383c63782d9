"""The catalogue: what NVIDIA prints, what it misprints, and how a GPU or a profile may be named."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from placer_models import gpus_file
from placer_models.document import Faults
from placer_models.gpus import SHARINGS, Catalogue, GpuModel, Sharing, Use
from placer_models.shipped import GPUS

CATALOGUE = Catalogue.shipped()


def use(model: str, sharing: Sharing, profile: str) -> Use:
    found = CATALOGUE.find(model).use(sharing, profile=profile)
    assert found is not None, f"{model} cannot hold {profile} in {sharing}"
    return found


def sharings_for(model: GpuModel, profile: str) -> tuple[Sharing, ...]:
    """The sharings in which a profile can stand on a GPU."""
    return tuple(sharing for sharing in SHARINGS if model.use(sharing, profile=profile) is not None)


def most(model: str, profile: str) -> int:
    """How many of one profile a GPU holds in same-size mode."""
    found = use(model, "same-size", profile)
    return min([len(found.starts or ()), *(limit for _, limit in found.caps)])


def test_the_catalogue_holds_61_models_and_1035_vgpu_types() -> None:
    assert len(CATALOGUE.models) == 61
    assert sum(profile.series is not None for model in CATALOGUE.models for profile in model.profiles) == 1035
    assert Catalogue.shipped() is CATALOGUE


@pytest.mark.parametrize("file", sorted(GPUS.iterdir()), ids=lambda file: file.name)
def test_a_shipped_file_would_pass_as_a_site_s_own(file: Path) -> None:
    assert gpus_file.read(json.loads(file.read_bytes()), file.name) == gpus_file.trusted(file.read_bytes())


def test_each_value_names_a_source_that_the_file_gives_an_address_for() -> None:
    for model in CATALOGUE.models:
        for profile in model.profiles:
            assert profile.sources, f"{model.name} {profile.name}"
            assert set(profile.sources) <= set(model.sources)
        assert set(model.value_sources.values()) <= set(model.sources)
    assert CATALOGUE.find("M60").value_sources["gpus_per_board"] == "UG8"
    assert CATALOGUE.find("M60").sources["UG8"].startswith("https://docs.nvidia.com/grid/8.0/")
    assert CATALOGUE.find("A40").value_sources["mixed_starts"] == "UG17A3"
    assert any("no -lgipp listing of this model" in note for note in CATALOGUE.find("B200").notes)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Tesla M60", "Tesla M60"),
        ("M60", "Tesla M60"),
        ("NVIDIA Tesla M60", "Tesla M60"),
        ("nvidia tesla m60", "Tesla M60"),
        ("T4", "Tesla T4"),
        ("NVIDIA A40", "A40"),
        ("H100 NVL", "H100 PCIe 94GB"),
        ("H100XM", "H100 SXM5 80GB"),
        ("Tesla V100-SXM2-16GB", "Tesla V100 SXM2 16GB"),
        ("NVIDIA A100-SXM4-40GB", "A100 HGX/SXM4 40GB"),
        ("NVIDIA A100 80GB PCIe", "A100 PCIe 80GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100 SXM5 80GB"),
        ("NVIDIA H100 PCIe", "H100 PCIe 80GB"),
        ("NVIDIA H100 NVL", "H100 PCIe 94GB"),
        ("NVIDIA H20-3e", "H20 SXM5 141GB"),
        ("A100D", "A100 PCIe 80GB"),
        ("A100X", "A100 HGX/SXM4 40GB"),
        ("RTX6000-Ada", "RTX 6000 Ada Generation"),
    ],
)
def test_a_gpu_is_found_by_name_board_code_or_the_vendors_full_name(name: str, model: str) -> None:
    found = CATALOGUE.find(name)
    assert (found.name, found.known) == (model, True)


def test_a_marketing_name_that_two_boards_could_mean_is_not_guessed() -> None:
    assert not CATALOGUE.find("DC").known  # the board code of every RTX PRO Blackwell server card
    assert not CATALOGUE.find("NVIDIA H200").known  # the SXM module by the driver, but H200 is the NVL card's code
    assert CATALOGUE.find("H200").name == "H200 PCIe 141GB"
    assert not CATALOGUE.find("NVIDIA H800").known  # likewise


def test_compute_mode_is_said_by_the_name_and_is_no_other_model() -> None:
    assert CATALOGUE.canonical("NVIDIA Tesla M60.compute") == ("Tesla M60", "compute")
    assert CATALOGUE.canonical("M60") == ("Tesla M60", "graphics")
    assert CATALOGUE.find("Tesla M60.compute") is CATALOGUE.find("Tesla M60")
    assert CATALOGUE.find("M60").modes == ("graphics", "compute")
    assert CATALOGUE.find("M10").modes == ("graphics",)


def test_an_unknown_model_keeps_its_spelling_and_can_be_passed_through_or_shared_by_fractions() -> None:
    g2 = CATALOGUE.find("G2")
    assert not g2.known
    assert CATALOGUE.canonical("G2.compute") == ("G2", "compute")
    assert g2.use("passthrough") == Use(1, (0,))
    assert g2.use("fraction", milli=460) == Use(460, None, share_milli=460)
    assert g2.use("fraction") == Use(1000, None)
    assert [sharing for sharing in SHARINGS if g2.row_units(sharing)] == ["passthrough", "fraction"]
    assert g2.use("mig", profile="1g.10gb") is None
    assert CATALOGUE.find("G2") is g2


@pytest.mark.parametrize(
    ("spelling", "model", "profile"),
    [
        ("A40-8Q", "A40", "A40-8Q"),
        ("grid_a40-8q", "A40", "A40-8Q"),
        ("nvidia_h100xm-80c", "H100 SXM5 80GB", "H100XM-80C"),
        ("NVIDIA A40-8Q", "A40", "A40-8Q"),
        ("GRID M60-1Q", "Tesla M60", "M60-1Q"),
        ("nvidia_a100-2-10c", "A100 PCIe 40GB", "A100-2-10C"),
        ("MIG 1g.6gb", "A30", "1g.6gb"),
        ("mig-1g.6gb", "A30", "1g.6gb"),
        ("nvidia.com/mig-1g.6gb.me", "A30", "1g.6gb+me"),
        ("nvidia_rtx6000-ada-48q", "RTX 6000 Ada Generation", "RTX6000-Ada-48Q"),
        ("RTX 5880 Ada-48C", "RTX 5880 Ada", "RTX 5880 Ada-48C"),
    ],
)
def test_a_profile_is_found_in_each_tools_spelling(spelling: str, model: str, profile: str) -> None:
    (found,) = CATALOGUE.profile_models(spelling)
    assert found.name == model
    canonical = found.profile(spelling)
    assert canonical is not None
    assert canonical.name == profile


def test_a_mig_profile_is_of_many_models_and_not_the_same_share_of_each() -> None:
    names = {model.name for model in CATALOGUE.profile_models("1g.10gb")}
    assert {"A100 PCIe 40GB", "A100 PCIe 80GB", "H100 SXM5 80GB"} <= names
    assert use("A100", "mig", "1g.10gb").share_milli == 250
    assert use("A100D", "mig", "1g.10gb").share_milli == 125
    assert {model.name for model in CATALOGUE.profile_models("DC-32C")} == {
        "RTX PRO 6000 Blackwell Server Edition",
        "RTX PRO 4500 Blackwell Server Edition",
    }
    assert CATALOGUE.profile_models("M60-3Q") == ()


def test_same_size_counts_are_those_of_the_guides() -> None:
    assert [most("M60", name) for name in ("M60-8Q", "M60-4Q", "M60-2Q", "M60-1Q")] == [1, 2, 4, 8]
    assert CATALOGUE.find("M60").gpus_per_board == 2
    assert CATALOGUE.find("M10").gpus_per_board == 4
    assert CATALOGUE.find("A16").gpus_per_board == 4
    assert most("A40", "A40-4C") == 12
    assert most("A40", "A40-1Q") == 32  # 48 fit by memory, 32 vGPUs is the most on one GPU
    assert [most("H100L", name) for name in ("H100L-15C", "H100L-6C", "H100L-4C")] == [6, 15, 23]


def test_no_gpu_holds_more_than_32_same_size_vgpus_nor_more_than_its_memory() -> None:
    for model in CATALOGUE.models:
        assert model.row_units("same-size") <= 32
        for profile in model.profiles:
            found = model.use("same-size", profile=profile.name)
            if found is not None and model.memory_mib:
                assert len(found.starts or ()) * profile.framebuffer_mib <= model.memory_mib, profile.name


def test_a_c_series_type_below_its_sizes_maximum_carries_its_own_limit() -> None:
    assert use("RTX8000P", "same-size", "RTX8000P-4C").caps == (("RTX8000P-4C", 8),)
    assert most("RTX8000P", "RTX8000P-4C") == 8
    assert most("RTX8000P", "RTX8000P-4Q") == 12


def test_h100_16c_is_5_per_gpu_where_the_page_prints_6() -> None:
    assert most("H100", "H100-16C") == 5
    assert most("H100XM", "H100XM-16C") == 5


def test_v100dx_4c_has_4096_mib_where_the_page_prints_6144() -> None:
    profile = CATALOGUE.find("V100DX").profile("V100DX-4C")
    assert profile is not None
    assert (profile.framebuffer_mib, profile.max_per_gpu) == (4096, 8)


def test_the_64_gb_placement_table_has_56_where_the_guide_prints_46() -> None:
    starts = CATALOGUE.find("H100XS").mixed_starts
    assert starts[8] == (0, 8, 16, 24, 32, 40, 48, 56)


def test_same_size_locks_the_gpu_to_a_size_and_before_vgpu_15_to_a_type() -> None:
    assert use("A40", "same-size", "A40-2B").lock == use("A40", "same-size", "A40-2Q").lock
    assert use("A40", "same-size", "A40-4Q").lock != use("A40", "same-size", "A40-2Q").lock
    assert use("M60", "same-size", "M60-2B").lock != use("M60", "same-size", "M60-2Q").lock
    old = CATALOGUE.find("A40").use("same-size", profile="A40-2B", rule="type")
    assert old is not None
    assert old.lock == "A40-2B"


@pytest.mark.parametrize(
    ("model", "starts"),
    [
        ("A16", {16: 1, 8: 2, 4: 4, 2: 8, 1: 16}),
        ("A10M", {20: 1, 10: 2, 5: 4, 4: 4, 2: 8, 1: 16}),
        ("L4", {24: 1, 12: 2, 8: 2, 6: 4, 4: 4, 3: 8, 2: 8, 1: 16}),
        ("RTX5000-Ada", {32: 1, 16: 2, 8: 4, 4: 8, 2: 16, 1: 32}),
        ("A100", {40: 1, 20: 2, 10: 4, 8: 4, 5: 8, 4: 8}),
        ("A40", {48: 1, 24: 2, 16: 2, 12: 4, 8: 4, 6: 8, 4: 8, 3: 16, 2: 16, 1: 30}),
        ("L40S", {48: 1, 24: 2, 16: 2, 12: 4, 8: 4, 6: 8, 4: 8, 3: 16, 2: 16, 1: 16}),
        ("H100XS", {64: 1, 32: 2, 16: 4, 8: 8, 4: 16}),
        ("H100", {80: 1, 40: 2, 20: 4, 16: 4, 10: 8, 8: 8, 5: 16, 4: 16}),
        ("H100L", {94: 1, 47: 2, 23: 4, 15: 4, 11: 8, 6: 8, 4: 16}),
        ("RTX PRO 6000 Blackwell Server Edition", {96: 1, 48: 2, 32: 3, 24: 4, 16: 6, 12: 8, 8: 12}),
    ],
)
def test_mixed_size_counts_are_those_of_the_placement_table(model: str, starts: dict[int, int]) -> None:
    found = CATALOGUE.find(model)
    assert {size: len(at) for size, at in found.mixed_starts.items()} == starts
    assert found.row_units("mixed-size") == max(starts)


def test_mixed_size_offsets_are_those_of_the_placement_table() -> None:
    assert use("A40", "mixed-size", "A40-8Q").starts == (0, 16, 24, 40)
    assert use("A40", "mixed-size", "A40-4C").starts == (0, 8, 12, 20, 24, 32, 36, 44)
    assert use("H100", "mixed-size", "H100-16C").starts == (0, 24, 40, 64)
    assert use("H100L", "mixed-size", "H100L-15C").starts == (0, 32, 47, 79)
    assert use("L4", "mixed-size", "L4-6Q").starts == (0, 6, 12, 18)
    for model in CATALOGUE.models:
        for size, starts in model.mixed_starts.items():
            ends = [start + size for start in starts]
            assert all(end <= start for end, start in zip(ends, starts[1:], strict=False)), (model.name, size)
            assert ends[-1] <= model.row_units("mixed-size")


def test_mixed_size_needs_ampere_or_later_and_a_sourced_placement_table() -> None:
    assert "mixed-size" not in sharings_for(CATALOGUE.find("T4"), "T4-4Q")
    assert "mixed-size" not in sharings_for(CATALOGUE.find("V100"), "V100-4Q")
    assert CATALOGUE.find("H200").mixed_size_supported
    assert sharings_for(CATALOGUE.find("H200"), "H200-35C") == ("same-size",)
    assert sharings_for(CATALOGUE.find("A40"), "A40-8Q") == ("same-size", "mixed-size")


def test_mig_backed_types_stand_on_the_instance_that_they_name() -> None:
    assert use("A100", "mig", "A100-2-10C") == use("A100", "mig", "2g.10gb")
    assert use("A30", "mig", "A30-2-12CME").caps == (("me", 1),)
    assert sharings_for(CATALOGUE.find("A100"), "A100-2-10C") == ("mig",)
    assert CATALOGUE.find("A100").use("mig", profile="A100-20C") is None


def test_several_vgpus_inside_one_instance_are_refused() -> None:
    card = CATALOGUE.find("RTX PRO 6000 Blackwell Server Edition")
    assert sharings_for(card, "DC-1-24Q") == ("mig",)  # one to an instance
    assert sharings_for(card, "DC-1-12Q") == ()  # two to an instance


def test_mig_geometry_without_sourced_starts_is_known_by_name_only_and_inferred_ones_say_so() -> None:
    assert sharings_for(CATALOGUE.find("B300"), "1g.34gb") == ()
    assert sharings_for(CATALOGUE.find("RTX PRO 4500 Blackwell Server Edition"), "DC-1-16C") == ()
    inferred = {model.name for model in CATALOGUE.models if model.starts_inferred}
    assert inferred == {
        "B200",
        "GH200",
        "H100 SXM5 64GB",
        "H20 SXM5 141GB",
        "H20 SXM5 96GB",
        "H200 PCIe 141GB",
        "H200 SXM5 141GB",
    }


def test_cuda_is_for_the_full_maxwell_profile_for_every_later_q_and_c_and_never_for_a_or_b() -> None:
    for model in CATALOGUE.models:
        full = max((profile.framebuffer_mib for profile in model.profiles), default=0)
        for profile in model.profiles:
            if model.architecture == "Maxwell":
                assert profile.cuda == (profile.series == "Q" and profile.framebuffer_mib == full), profile.name
            else:
                assert profile.cuda == (profile.series not in ("A", "B")), profile.name


def test_several_vgpus_in_one_vm_are_for_the_full_q_and_from_volta_on_for_every_q_and_c() -> None:
    for model in CATALOGUE.models:
        old = model.architecture in ("Maxwell", "Pascal")
        full = max((profile.framebuffer_mib for profile in model.profiles), default=0)
        for profile in model.profiles:
            able = profile.series not in ("A", "B") and not (old and profile.framebuffer_mib < full)
            assert profile.multi_vgpu == able, profile.name


def test_a_gpu_serves_an_ask_only_in_the_sharing_it_stands_in() -> None:
    a40 = CATALOGUE.find("A40")
    assert a40.use("passthrough") == Use(1, (0,))
    assert a40.use("passthrough", profile="A40-48Q") is None
    assert a40.use("same-size") is None
    assert a40.use("same-size", milli=500) is None
    assert a40.use("fraction", profile="A40-8Q") is None
    assert a40.use("same-size", profile="M60-1Q") is None
    assert a40.use("mig", profile="A40-8Q") is None
    with pytest.raises(ValueError, match="1 to 1000"):
        a40.use("fraction", milli=1001)
    with pytest.raises(ValueError, match="not both"):
        a40.use("fraction", profile="A40-8Q", milli=5)


def test_shares_are_thousandths_of_the_gpus_memory() -> None:
    assert use("M60", "same-size", "M60-1Q").share_milli == 125
    assert use("L4", "same-size", "L4-8Q").share_milli == 333
    assert use("H100L", "mixed-size", "H100L-94C").share_milli == 1000
    assert use("H100", "mig", "7g.80gb").share_milli == 1000
    for model in CATALOGUE.models:
        for profile in model.profiles:
            for sharing in sharings_for(model, profile.name):
                assert 1 <= use(model.name, sharing, profile.name).share_milli <= 1000


SITE: dict[str, Any] = {
    "format": "placer.gpus/1",
    "sources": {"US": "measured in our lab"},
    "models": [
        {
            "name": "Lab GPU",
            "vgpu_prefix": "LAB",
            "memory_gib": 24,
            "architecture": "Blackwell",
            "mixed_size_supported": True,
            "mixed_size": {"source": "US", "starts_by_gib": {"24": [0], "12": [0, 12]}},
            "mig": {
                "compute_slices": 2,
                "memory_slices": 2,
                "profiles": [{"name": "1g.12gb", "compute_slices": 1, "memory_slices": 1, "starts": [0, 1]}],
            },
            "value_sources": {"memory_gib": "US"},
            "profiles": [
                {"name": "LAB-12Q", "series": "Q", "framebuffer_mib": 12288, "max_per_gpu": 2, "sources": ["US"]},
                {"name": "LAB-1-12C", "series": "C", "framebuffer_mib": 12288, "gpu_instance_profile": "1g.12gb"},
            ],
        }
    ],
}


def test_a_site_adds_its_own_model_beside_ours(tmp_path: Path) -> None:
    path = tmp_path / "gpus.json"
    path.write_text(json.dumps(SITE))
    for more in (CATALOGUE.with_file(path), CATALOGUE.with_file(str(path)), CATALOGUE.with_file(SITE)):
        assert sharings_for(more.find("lab"), "LAB-12Q") == ("same-size", "mixed-size")
        assert sharings_for(more.find("Lab GPU"), "LAB-1-12C") == ("mig",)
        assert [model.name for model in more.profile_models("LAB-12Q")] == ["Lab GPU"]
        assert more.find("M60").known
    assert not CATALOGUE.find("LAB").known


def test_a_sites_model_overrides_ours_of_the_same_name() -> None:
    site = copy.deepcopy(SITE)
    site["models"][0] |= {"name": "TESLA M60", "vgpu_prefix": "M60"}
    more = CATALOGUE.with_file(site)
    assert len(more.models) == len(CATALOGUE.models)
    assert more.find("M60").memory_mib == 24 * 1024
    assert more.find("NVIDIA Tesla M60") is more.find("M60")
    assert more.profile_models("M60-1Q") == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"memory_gb": 24}, "models[0].memory_gb: unknown key"),
        ({"name": 7}, "models[0].name: found 7, expected text"),
        ({"memory_gib": 20}, "models[0].profiles[0].max_per_gpu: 2 x 12288 MiB exceed the GPU's 20480 MiB"),
        ({"memory_gib": 20}, "models[0].mixed_size.starts_by_gib.12: start 12 with length 12 ends beyond the GPU's 20"),
        ({"mixed_size": {"starts_by_gib": {"12": [12, 0]}}}, "expected ascending starts"),
        ({"value_sources": {"memory_gib": "XX"}}, "models[0].value_sources.memory_gib: found 'XX'"),
        ({"mig": None}, "models[0].profiles[1].gpu_instance_profile: found '1g.12gb', expected a profile of this"),
        ({"same_size_rule": "any"}, "models[0].same_size_rule: found 'any'"),
    ],
)
def test_a_faulty_site_file_is_refused_with_the_place_and_what_is_wrong(change: dict[str, Any], sentence: str) -> None:
    site = copy.deepcopy(SITE)
    site["models"][0] |= change
    with pytest.raises(Faults) as refused:
        CATALOGUE.with_file(site)
    assert any(sentence in line for line in str(refused.value).splitlines()), str(refused.value)


def test_a_site_file_that_names_a_model_or_a_profile_twice_is_refused_with_both_sentences() -> None:
    site = copy.deepcopy(SITE)
    site["models"][0]["profiles"].append(site["models"][0]["profiles"][0])
    site["models"].append(site["models"][0])
    with pytest.raises(Faults) as refused:
        CATALOGUE.with_file(site)
    assert "models[1].name: 'Lab GPU' stands there twice" in str(refused.value)
    assert "models[0].profiles[2].name: 'LAB-12Q' stands there twice" in str(refused.value)


def test_mig_starts_that_would_exceed_the_compute_slices_are_refused() -> None:
    site = copy.deepcopy(SITE)
    site["models"][0]["mig"]["profiles"][0]["compute_slices"] = 2
    with pytest.raises(Faults, match="more than 2 compute slices"):
        CATALOGUE.with_file(site)


def test_a_catalogue_survives_the_way_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(CATALOGUE))
    assert again.find("A40").use("mixed-size", profile="A40-8Q") == use("A40", "mixed-size", "A40-8Q")
    assert hash(again.find("A40")) == hash(CATALOGUE.find("A40"))
    assert again.find("A40") == CATALOGUE.find("A40")
    assert again.find("A40") != GpuModel("A40")
