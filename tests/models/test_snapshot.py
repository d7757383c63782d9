"""What is refused at the door: every reference that leads nowhere, and every GPU that is held as it cannot be."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from placer_models.document import Faults
from placer_models.gpus import Catalogue
from placer_models.snapshot import Snapshot

SOUND: dict[str, Any] = {
    "format": "placer.snapshot/1",
    "cluster": "lab",
    "taken_at": "2026-11-23T06:30:00Z",
    "hosts": [
        {
            "name": "esx01",
            "cpus": 64,
            "memory_mib": 524288,
            "labels": {"rack": "r1"},
            "gpus": [
                {"id": "m60", "model": "Tesla M60", "sharing": "same-size"},
                {"id": "a40", "model": "A40", "sharing": "same-size"},
                {"id": "mixed", "model": "A40", "sharing": "mixed-size"},
                {"id": "mig", "model": "A100 PCIe 40GB", "sharing": "mig"},
                {"id": "t4", "model": "Tesla T4", "sharing": "fraction"},
                {"id": "t4b", "model": "Tesla T4", "sharing": "fraction"},
                {"id": "whole", "model": "Tesla T4"},
                {"id": "compute", "model": "Tesla M60", "mode": "compute"},
            ],
        },
        {"name": "esx02", "cpus": 8, "memory_mib": 65536},
    ],
    "vms": [
        {"name": "off", "power": "off", "cpus": 1, "memory_mib": 1024},
        {"name": "on", "power": "on", "host": "esx02", "cpus": 1, "memory_mib": 1024},
    ],
    "rules": [{"kind": "apart", "vms": ["off", "on"], "by": "rack"}],
    "requests": [{"kind": "power-on", "vm": "off"}],
}


def sound() -> dict[str, Any]:
    return copy.deepcopy(SOUND)


def faults(values: object) -> list[str]:
    with pytest.raises(Faults) as refused:
        Snapshot.of(values)
    return list(refused.value.sentences)


def running(*gpus: dict[str, Any], name: str = "x", **more: Any) -> dict[str, Any]:
    """A VM on esx01 that holds this."""
    return {"name": name, "power": "on", "host": "esx01", "cpus": 1, "memory_mib": 1024, "gpus": list(gpus), **more}


def with_vms(*vms: dict[str, Any]) -> dict[str, Any]:
    return {**sound(), "vms": [*sound()["vms"], *vms]}


def profile(name: str, gpu: str, slot: int | None = None) -> dict[str, Any]:
    return {"profile": name, "at": [{"gpu": gpu} if slot is None else {"gpu": gpu, "slot": slot}]}


def whole(*gpus: str, model: str = "Tesla T4", **more: Any) -> dict[str, Any]:
    return {"models": [model], "count": len(gpus), "at": [{"gpu": gpu} for gpu in gpus], **more}


def share(milli: int, *gpus: str) -> dict[str, Any]:
    return {"milli": milli, "count": len(gpus), "at": [{"gpu": gpu} for gpu in gpus]}


def test_sound_snapshot_is_read() -> None:
    snapshot = Snapshot.of(sound())
    assert list(snapshot.content.hosts) == ["esx01", "esx02"]
    assert snapshot.content.asked == {"off": 0}


HELD_RIGHTLY: dict[str, list[dict[str, Any]]] = {
    "one_type_fills_an_m60": [running(*[profile("M60-2Q", "m60", slot)], name=f"x{slot}") for slot in range(4)],
    "one_size_in_two_series": [running(profile("A40-2Q", "a40", 0)), running(profile("A40-2B", "a40", 1), name="y")],
    "same_size_slots_left_open": [running(profile("A40-2Q", "a40"), name=name) for name in "xyz"],
    "sizes_mixed_at_their_placements": [
        running(profile("A40-24Q", "mixed", 0)),
        running(profile("A40-8Q", "mixed", 24), name="y"),
        running(profile("A40-4Q", "mixed", 44), name="z"),
    ],
    "4g_2g_1g": [
        running(profile("4g.20gb", "mig", 0)),
        running(profile("2g.10gb", "mig", 4), name="y"),
        running(profile("1g.5gb", "mig", 6), name="z"),
    ],
    "shares_up_to_the_brim": [running(share(460, "t4", "t4b")), running(share(540, "t4"), name="y")],
    "a_whole_gpu_of_thousandths": [running(whole("t4"))],
    "a_whole_gpu": [running(whole("whole"))],
    "a_gpu_in_compute_mode_by_either_name": [running(whole("compute", model="NVIDIA Tesla M60.compute"))],
    "any_gpu_will_do": [running({"at": [{"gpu": "whole", "slot": 0}]})],
}


@pytest.mark.parametrize("vms", HELD_RIGHTLY.values(), ids=HELD_RIGHTLY)
def test_what_is_held_rightly_is_read(vms: list[dict[str, Any]]) -> None:
    assert len(Snapshot.of(with_vms(*vms)).vms) == 2 + len(vms)


HELD_WRONGLY: dict[str, tuple[list[dict[str, Any]], str]] = {
    "on_an_unknown_host": (
        [running(host="esx03")],
        "vms[2].host: found 'esx03', expected a host of this snapshot; did you mean 'esx02'?",
    ),
    "on_no_host": ([running(host=None)], "vms[2]: missing 'host': a VM that is on stands on a host"),
    "on_an_unknown_gpu": (
        [running(whole("wholly"))],
        "vms[2].gpus[0].at[0].gpu: found 'wholly', expected a GPU of esx01; did you mean 'whole'?",
    ),
    "on_a_gpu_of_another_host": (
        [running(whole("whole"), host="esx02")],
        "vms[2].gpus[0].at[0].gpu: found 'whole', expected a GPU of esx02",
    ),
    "without_saying_where": (
        [running({"profile": "M60-2Q"})],
        "vms[2].gpus[0].at: found 0 places, expected 1: where a VM that is on holds each of its GPUs",
    ),
    "more_places_than_asked": (
        [running({**whole("whole", "t4"), "count": 1})],
        "vms[2].gpus[0].at: found 2 places, expected 1: where a VM that is on holds each of its GPUs",
    ),
    "held_while_off": (
        [{**running(whole("whole")), "power": "off"}],
        "vms[2].gpus[0].at: found a GPU held by a VM that is off, expected none",
    ),
    "held_while_suspended": (
        [{**running(whole("whole")), "power": "suspended"}],
        "vms[2].gpus[0].at: found a GPU held by a VM that is suspended, expected none",
    ),
    "passthrough_shared": (
        [running(whole("whole"), name="render-7"), running(whole("whole"), name="render-8")],
        "vms[3].gpus[0].at[0].gpu: found GPU whole of esx01, which render-7 holds; "
        "expected one holder: it stands in pass-through",
    ),
    "one_gpu_counted_twice": (
        [running(whole("whole", "whole"))],
        "vms[2].gpus[0].at[1].gpu: found GPU whole of esx01, which x itself holds; "
        "expected one holder: it stands in pass-through",
    ),
    "passthrough_at_a_slot": (
        [running({"models": ["Tesla T4"], "at": [{"gpu": "whole", "slot": 3}]})],
        "vms[2].gpus[0].at[0].slot: found 3, expected none: in sharing 'passthrough' there are no slots",
    ),
    "a_vgpu_of_a_passthrough_gpu": (
        [running(profile("T4-4Q", "whole", 0))],
        "vms[2].gpus[0].at[0].gpu: found GPU whole of esx01, which stands in sharing 'passthrough' "
        "and cannot give T4-4Q so",
    ),
    "a_whole_gpu_of_a_cut_one": (
        [running(whole("a40", model="A40"))],
        "vms[2].gpus[0].at[0].gpu: found GPU a40 of esx01, which stands in sharing 'same-size' "
        "and cannot give a whole GPU so",
    ),
    "a_model_that_was_not_asked_for": (
        [running(whole("whole", model="A40"))],
        "vms[2].gpus[0].at[0].gpu: found GPU whole of esx01 (Tesla T4 in mode graphics), "
        "expected A40 in mode graphics, as the VM asks",
    ),
    "graphics_asked_and_compute_held": (
        [running(whole("compute", model="Tesla M60"))],
        "vms[2].gpus[0].at[0].gpu: found GPU compute of esx01 (Tesla M60 in mode compute), "
        "expected Tesla M60 in mode graphics, as the VM asks",
    ),
    "a_profile_of_another_board": (
        [running(profile("M60-2Q", "a40", 0))],
        "vms[2].gpus[0].at[0].gpu: found GPU a40 of esx01 (A40), which has no profile 'M60-2Q'",
    ),
    "a_profile_that_nothing_has": (
        [running(profile("M60-3Q", "m60", 0))],
        "vms[2].gpus[0].profile: found 'M60-3Q', expected a profile of the catalogue's GPU models; did you mean 'M60-",
    ),
    "a_profile_that_the_named_models_have_not": (
        [{**running({"profile": "M60-2Q", "models": ["A40", "T4"]}), "power": "off"}],
        "vms[2].gpus[0].profile: found 'M60-2Q', which no A40 or T4 has",
    ),
    "a_profile_and_a_share": (
        [{**running({"profile": "M60-2Q", "milli": 5}), "power": "off"}],
        "vms[2].gpus[0]: found both 'profile' and 'milli', expected one of them",
    ),
    "a_profile_in_a_mode": (
        [{**running({"profile": "M60-2Q", "mode": "compute"}), "power": "off"}],
        "vms[2].gpus[0].mode: found a mode beside a profile, expected none: profiles stand on graphics mode",
    ),
    "two_types_on_an_m60": (
        [running(profile("M60-1Q", "m60", 0)), running(profile("M60-1B", "m60", 1), name="y")],
        "vms[3].gpus[0].at[0]: found GPU m60 of esx01 held against its rules: "
        "M60-1B and M60-1Q on one GPU; it takes one of them at a time (held also by x)",
    ),
    "two_sizes_on_a_same_size_a40": (
        [running(profile("A40-2Q", "a40", 0)), running(profile("A40-4Q", "a40", 1), name="y")],
        "vms[3].gpus[0].at[0]: found GPU a40 of esx01 held against its rules: "
        "2048 MiB and 4096 MiB on one GPU; it takes one of them at a time (held also by x)",
    ),
    "one_slot_held_twice": (
        [running(profile("M60-2Q", "m60", 1)), running(profile("M60-2Q", "m60", 1), name="y")],
        "vms[3].gpus[0].at[0]: found GPU m60 of esx01 held against its rules: "
        "slot 1 (unit 1) overlaps what stands there (held also by x)",
    ),
    "five_of_at_most_four": (
        [running(profile("M60-2Q", "m60"), name=f"x{i}") for i in range(5)],
        "vms[6].gpus[0].at[0]: found GPU m60 of esx01 held against its rules: "
        "5 items on one GPU, at most 4 of M60-2Q (held also by x0, x1, x2 ...)",
    ),
    "a_slot_beyond_the_last": (
        [running(profile("M60-2Q", "m60", 4))],
        "vms[2].gpus[0].at[0]: found GPU m60 of esx01 held against its rules: "
        "slot 4 is no legal start; legal: 0, 1, 2, 3",
    ),
    "no_slot_where_it_matters": (
        [running(profile("A40-8Q", "mixed"))],
        "vms[2].gpus[0].at[0]: missing 'slot': in sharing 'mixed-size' it matters where A40-8Q is; "
        "legal: 0, 16, 24, 40",
    ),
    "no_placement_id": (
        [running(profile("A40-8Q", "mixed", 8))],
        "vms[2].gpus[0].at[0]: found GPU mixed of esx01 held against its rules: "
        "slot 8 is no legal start; legal: 0, 16, 24, 40",
    ),
    "placements_overlap": (
        [running(profile("A40-24Q", "mixed", 0)), running(profile("A40-8Q", "mixed", 16), name="y")],
        "vms[3].gpus[0].at[0]: found GPU mixed of esx01 held against its rules: "
        "slot 16 (units 16-23) overlaps what stands there (held also by x)",
    ),
    "mig_instances_overlap": (
        [running(profile("3g.20gb", "mig", 4)), running(profile("1g.5gb", "mig", 6), name="y")],
        "vms[3].gpus[0].at[0]: found GPU mig of esx01 held against its rules: "
        "slot 6 (unit 6) overlaps what stands there (held also by x)",
    ),
    "mig_start_that_is_none": (
        [running(profile("4g.20gb", "mig", 4))],
        "vms[2].gpus[0].at[0]: found GPU mig of esx01 held against its rules: slot 4 is no legal start; legal: 0",
    ),
    "a_second_media_extension": (
        [running(profile("1g.5gb+me", "mig", 0)), running(profile("1g.5gb+me", "mig", 1), name="y")],
        "vms[3].gpus[0].at[0]: found GPU mig of esx01 held against its rules: 2 x ",
    ),
    "more_thousandths_than_there_are": (
        [running(share(460, "t4")), running(share(541, "t4"), name="y")],
        "vms[3].gpus[0].at[0]: found GPU t4 of esx01 held against its rules: "
        "1001 of 1000 thousandths are taken (held also by x)",
    ),
    "a_whole_gpu_of_thousandths_in_use": (
        [running(share(1, "t4")), running(whole("t4"), name="y")],
        "vms[3].gpus[0].at[0]: found GPU t4 of esx01 held against its rules: "
        "1001 of 1000 thousandths are taken (held also by x)",
    ),
    "two_shares_of_one_ask_on_one_gpu": (
        [running(share(100, "t4", "t4"))],
        "vms[2].gpus[0].at[1].gpu: found 't4' again, expected the shares of one ask on different GPUs",
    ),
    "a_share_of_a_cut_gpu": (
        [running(share(100, "mig"))],
        "vms[2].gpus[0].at[0].gpu: found GPU mig of esx01, which stands in sharing 'mig' and cannot give 100/1000 so",
    ),
    "a_share_at_a_slot": (
        [running({"milli": 100, "at": [{"gpu": "t4", "slot": 7}]})],
        "vms[2].gpus[0].at[0].slot: found 7, expected none: in sharing 'fraction' there are no slots",
    ),
}


@pytest.mark.parametrize(("vms", "sentence"), HELD_WRONGLY.values(), ids=HELD_WRONGLY)
def test_what_is_held_wrongly_is_said_once(vms: list[dict[str, Any]], sentence: str) -> None:
    (said,) = faults(with_vms(*vms))
    assert said.startswith(sentence)


def test_of_two_hosts_with_one_name_the_first_is_meant() -> None:
    values = with_vms(running(whole("whole")))
    values["hosts"].append({"name": "esx01", "cpus": 1, "memory_mib": 1})
    assert faults(values) == ["hosts[2].name: found 'esx01' again, which hosts[0] has; expected each once"]


def hosts(change: Callable[[list[dict[str, Any]]], object]) -> dict[str, Any]:
    values = sound()
    change(values["hosts"])
    return values


CLASHING = [{"profile": "3g.20gb", "slot": 4}, {"profile": "1g.5gb", "slot": 6}]

REFERS_WRONGLY: dict[str, tuple[dict[str, Any], str]] = {
    "host_name_twice": (
        hosts(lambda hosts: hosts.append({"name": "esx01", "cpus": 1, "memory_mib": 1})),
        "hosts[2].name: found 'esx01' again, which hosts[0] has; expected each once",
    ),
    "gpu_id_twice": (
        hosts(lambda hosts: hosts[0]["gpus"].append({"id": "m60", "model": "Tesla M60"})),
        "hosts[0].gpus[8].id: found 'm60' again, which hosts[0].gpus[0] has; expected each once",
    ),
    "more_cpus_reserved_than_there_are": (
        hosts(lambda hosts: hosts[1].update(reserved_cpus=8.5)),
        "hosts[1].reserved_cpus: found 8.5, expected at most its 8 CPUs",
    ),
    "more_memory_reserved_than_there_is": (
        hosts(lambda hosts: hosts[1].update(reserved_memory_mib=65537)),
        "hosts[1].reserved_memory_mib: found 65537, expected at most its 65536 MiB",
    ),
    "sharing_that_the_model_has_not": (
        hosts(lambda hosts: hosts[0]["gpus"][6].update(sharing="mig")),
        "hosts[0].gpus[6].sharing: found 'mig', which no Tesla T4 can stand in; "
        "expected one of passthrough, same-size, fraction",
    ),
    "sharing_that_it_can_never_be_put_in": (
        hosts(lambda hosts: hosts[0]["gpus"][0].update(may_share=["passthrough", "mixed-size"])),
        "hosts[0].gpus[0].may_share[1]: found 'mixed-size', which no Tesla M60 can stand in; "
        "expected one of passthrough, same-size, fraction",
    ),
    "mig_layout_of_a_gpu_without_mig": (
        hosts(lambda hosts: hosts[0]["gpus"][6].update(mig_layout=[{"profile": "1g.5gb", "slot": 0}])),
        "hosts[0].gpus[6].mig_layout[0].profile: found '1g.5gb', and no Tesla T4 can stand in 'mig'",
    ),
    "mig_layout_of_instances_that_overlap": (
        hosts(lambda hosts: hosts[0]["gpus"][3].update(mig_layout=CLASHING)),
        "hosts[0].gpus[3].mig_layout[1]: found 1g.5gb at slot 6: slot 6 (unit 6) overlaps what stands there",
    ),
    "vgpus_of_a_model_that_nobody_knows": (
        hosts(lambda hosts: hosts[0]["gpus"][6].update(model="G9", sharing="same-size")),
        "hosts[0].gpus[6].model: found 'G9', expected a model of the catalogue or of --gpu-models; "
        "one that neither holds can stand in passthrough or fraction only",
    ),
    "vgpus_of_a_marketing_name_that_two_boards_have": (
        hosts(lambda hosts: hosts[0]["gpus"][6].update(model="NVIDIA H200", sharing="same-size")),
        "hosts[0].gpus[6].model: found 'NVIDIA H200', expected a model of the catalogue "
        "(H200 PCIe 141GB or H200 SXM5 141GB?) or of --gpu-models; "
        "one that neither holds can stand in passthrough or fraction only",
    ),
    "nvlink_to_nowhere": (
        hosts(lambda hosts: hosts[0].update(nvlink_groups=[["t4", "t4c"]])),
        "hosts[0].nvlink_groups[0][1]: found 't4c', expected a GPU of esx01; did you mean 't4'?",
    ),
    "nvlink_to_itself": (
        hosts(lambda hosts: hosts[0].update(nvlink_groups=[["t4", "t4"]])),
        "hosts[0].nvlink_groups[0][1]: found 't4' again, which hosts[0].nvlink_groups[0][0] has; expected each once",
    ),
    "vm_name_twice": (
        with_vms({"name": "off", "power": "off", "cpus": 1, "memory_mib": 1}),
        "vms[2].name: found 'off' again, which vms[0] has; expected each once",
    ),
    "a_rule_about_nobody": (
        {**sound(), "rules": [{"kind": "apart", "vms": ["on", "offf"]}]},
        "rules[0].vms[1]: found 'offf', expected a VM of this snapshot; did you mean 'off'?",
    ),
    "a_rule_about_nowhere": (
        {**sound(), "rules": [{"kind": "affinity", "vms": ["on"], "hosts": ["esx02", "esx2"]}]},
        "rules[0].hosts[1]: found 'esx2', expected a host of this snapshot; did you mean 'esx02'?",
    ),
    "a_rule_that_names_one_twice": (
        {**sound(), "rules": [{"kind": "apart", "vms": ["off", "off"]}]},
        "rules[0].vms[1]: found 'off' again, which rules[0].vms[0] has; expected each once",
    ),
    "a_label_that_no_host_has": (
        {**sound(), "rules": [{"kind": "apart", "vms": ["off", "on"], "by": "rakc"}]},
        "rules[0].by: found 'rakc', expected 'host' or a label that hosts have ('rack')",
    ),
    "a_request_for_nobody": (
        {**sound(), "requests": [{"kind": "power-on", "vm": "of"}]},
        "requests[0].vm: found 'of', expected a VM of this snapshot; did you mean 'off'?",
    ),
    "a_request_for_what_is_on": (
        {**sound(), "requests": [{"kind": "power-on", "vm": "on"}]},
        "requests[0].vm: found 'on', which is on; expected a VM that is off or suspended",
    ),
    "a_run_called_as_a_vm": (
        {
            **sound(),
            "vms": [*sound()["vms"], {"name": "job/film/3", "power": "off", "cpus": 1, "memory_mib": 1}],
            "jobs": [{"name": "film", "hours": 1}],
        },
        "jobs[0].name: found 'film', expected another name: one of its runs would be called as VM 'job/film/3' is",
    ),
    "a_request_made_twice": (
        {**sound(), "requests": [{"kind": "power-on", "vm": "off"}, {"kind": "power-on", "vm": "off", "priority": 3}]},
        "requests[1].vm: found 'off' again, which requests[0] has; expected each once",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), REFERS_WRONGLY.values(), ids=REFERS_WRONGLY)
def test_what_refers_wrongly_is_said_once(values: dict[str, Any], sentence: str) -> None:
    assert faults(values) == [sentence]


def test_all_faults_are_told_together() -> None:
    wrong = [vms for vms, _ in HELD_WRONGLY.values() if len(vms) == 1]
    values = with_vms(*({**vm, "name": f"x{i}"} for i, (vm,) in enumerate(wrong)))
    values["hosts"][1]["reserved_cpus"] = 9
    values["rules"].append({"kind": "affinity", "vms": ["nobody"], "hosts": ["nowhere"]})
    values["requests"].append({"kind": "power-on", "vm": "nobody"})
    said = faults(values)
    assert len(said) > len(wrong) // 2 + 4
    assert {sentence.split("[")[0] for sentence in said} == {"hosts", "vms", "rules", "requests"}


def test_wrong_types_and_wrong_references_are_told_together() -> None:
    values = with_vms(running(cpus="two"), running(name="y", host="esx07"), running(whole("whole"), name="z", host=7))
    values["requests"].append({"kind": "power-on", "vm": "z"})
    values["rules"].append({"kind": "apart", "vms": ["x", "y", "w"]})
    values["hosts"][1]["memory"] = 5
    said = faults(values)
    assert len(said) == 5, said
    for sentence in (
        "vms[2].cpus: found 'two', expected a number",
        "vms[4].host: found 7, expected text",
        "vms[3].host: found 'esx07', expected a host of this snapshot; did you mean 'esx02'?",
        "rules[1].vms[2]: found 'w', expected a VM of this snapshot",
    ):
        assert sentence in said
    assert any(sentence.startswith("hosts[1].memory: unknown key") for sentence in said)


def test_what_leads_to_a_wrong_part_is_not_called_wrong() -> None:
    values = sound()
    values["hosts"][1]["cpus"] = -1  # esx02, on which `on` stands, and which rules may name
    values["hosts"][0]["labels"] = 5  # who knows which labels it would have had
    values["vms"][0]["power"] = "of"  # `off`, which is asked for
    values["rules"].append({"kind": "affinity", "vms": ["off"], "hosts": ["esx02"]})
    assert len(faults(values)) == 3


def test_references_are_looked_at_in_whatever_is_left() -> None:
    values = {
        **sound(),
        "format": "placer.snapshot/9",
        "vms": [running(host="esx9"), 5],
        "rules": "none",
        "requests": None,
    }
    said = faults(values)
    assert any(sentence.startswith("vms[0].host: found 'esx9', expected a host of this snapshot") for sentence in said)
    assert len(said) == 5


@pytest.mark.parametrize(
    "values", [None, [], "snapshot", 5, {}, {"hosts": {}, "vms": [[]]}, {"hosts": [[]], "vms": [None]}]
)
def test_what_is_no_snapshot_at_all_is_refused_in_sentences(values: object) -> None:
    assert faults(values)


def test_a_fault_is_put_on_the_later_vm_and_the_others_stay_unblamed() -> None:
    vms = [running(profile("M60-2Q", "m60", 0)), running(profile("M60-4Q", "m60", 1), name="y")]
    said = faults(with_vms(*vms, running(profile("M60-2Q", "m60", 1), name="z")))
    assert [sentence.split(".")[0] for sentence in said] == ["vms[3]"]


def test_a_site_s_own_model_is_known_where_it_is_given() -> None:
    own = {
        "format": "placer.gpus/1",
        "models": [
            {
                "name": "X1",
                "memory_gib": 16,
                "profiles": [{"name": "X1-8Q", "series": "Q", "framebuffer_mib": 8192, "max_per_gpu": 2}],
            }
        ],
    }
    values = with_vms(running(profile("X1-8Q", "x", 1)))
    values["hosts"][0]["gpus"].append({"id": "x", "model": "X1", "sharing": "same-size"})
    assert Snapshot.of(values, catalogue=Catalogue.shipped().with_file(own)).catalogue.find("X1").known
    assert len(faults(values)) == 2  # the sharing and the profile


def test_a_cluster_of_wrong_references_is_refused_in_seconds() -> None:
    values = sound()
    values["hosts"] = [{"name": f"host-{i:05}", "cpus": 8, "memory_mib": 8} for i in range(2000)]
    values["vms"] = [{**running(name=f"vm-{i:05}"), "host": f"hots-{i:05}"} for i in range(10000)]
    values["rules"], values["requests"] = [], []
    started = time.monotonic()
    with pytest.raises(Faults) as refused:
        Snapshot.of(values)
    assert time.monotonic() - started < 30
    assert len(str(refused.value).splitlines()) == 51


@pytest.mark.parametrize(
    ("platform", "manager", "fits"),
    [
        ({"kind": "vsphere", "version": "8.0.3"}, "550.90.05", True),
        ({"kind": "vsphere", "version": "8.0.1"}, "550.90.05", False),
        ({"kind": "vsphere", "version": "7.0"}, None, False),
        ({"kind": "kvm"}, "510.47.03", False),
        ({"kind": "kvm"}, "14.2", False),
        ({"kind": "kvm"}, "17.0", True),
        ({"kind": "kvm"}, None, True),
    ],
)
def test_older_managers_want_one_type_on_a_gpu_and_newer_ones_one_size(
    platform: dict[str, str], manager: str | None, fits: bool
) -> None:
    held = [
        {"name": name, "power": "on", "host": "h", "cpus": 1, "memory_mib": 1024}
        | {"gpus": [{"profile": profile, "at": [{"gpu": "g", "slot": slot}]}]}
        for slot, (name, profile) in enumerate((("b", "A40-2B"), ("q", "A40-2Q")))
    ]
    gpu = {"id": "g", "model": "A40", "sharing": "same-size"}
    values = {
        "format": "placer.snapshot/1",
        "cluster": "c",
        "taken_at": "2026-11-20T18:00:00Z",
        "platform": platform,
        "hosts": [{"name": "h", "cpus": 8, "memory_mib": 8192, "gpus": [gpu], "vgpu_manager": manager}],
        "vms": held,
    }
    if fits:
        Snapshot.of(values)
    else:
        with pytest.raises(Faults, match="A40-2B and A40-2Q"):
            Snapshot.of(values)
