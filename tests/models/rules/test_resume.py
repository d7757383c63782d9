"""Rule `resume`: who was suspended with vGPUs resumes on a host like the one on which that was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asked import Asked
from tests.build import gpu, host, off, profile, values

ONES = [{"profile": "1g.6gb", "slot": slot} for slot in range(4)]
VDI = [
    host("mine", gpu("A40", "same-size", ecc=True), vgpu_manager="550.90.05"),
    host("alike", gpu("A40", "same-size", ecc=True), vgpu_manager="550.90.05"),
    host("newer", gpu("A40", "same-size", ecc=True), vgpu_manager="570.86"),
    host("no-ecc", gpu("A40", "same-size", ecc=False), vgpu_manager="550.90.05"),
    host("both", gpu("A40", "same-size", ecc=True), gpu("A40", "same-size", ecc=False), vgpu_manager="550.90.05"),
]
MIG = [
    host("mine", gpu("A30", "mig", mig_layout=ONES)),
    host("alike", gpu("A30", "mig", mig_layout=ONES), gpu("A30", "same-size")),
    host("other", gpu("A30", "mig", mig_layout=ONES[:2])),
    host("bigger", gpu("H100 PCIe 80GB", "mig")),
]


def suspended(name: str, what: str, **more: Any) -> dict[str, Any]:
    return {**off(name, profile(what)), "power": "suspended", **more}


def allowed(hosts: list[dict[str, Any]], vm: dict[str, Any]) -> dict[str, str]:
    """Each host, with what the operator reads of it (nothing: the VM may resume there)."""
    asked = Asked(values(hosts, [vm]), "resume")
    return {one["name"]: asked.why_not(vm["name"], one["name"]) or "" for one in hosts}


@pytest.mark.parametrize(
    ("hosts", "what", "said"),
    [
        (
            VDI,
            "A40-8Q",
            {
                "newer": "vGPU manager 570.86 is not 550.90.05",
                "no-ecc": "ECC state differs",
                "both": "ECC state differs",
            },
        ),
        (MIG, "A30-1-6C", {"other": "MIG layout differs"}),
    ],
    ids=["vdi", "mig"],
)
def test_a_vm_resumes_where_a_migration_from_its_host_could_have_gone(
    hosts: list[dict[str, Any]], what: str, said: dict[str, str]
) -> None:
    found = allowed(hosts, suspended("desk", what, host="mine"))
    assert found == {one["name"]: "" for one in hosts} | {
        name: f"suspended on mine: {why}" for name, why in said.items()
    }


def test_a_profile_of_two_models_resumes_on_the_one_that_it_had() -> None:
    hosts = [host("mine", gpu("A100 PCIe 80GB", "mig")), host("other", gpu("H100 PCIe 80GB", "mig"))]
    found = allowed(hosts, suspended("train", "1g.10gb", host="mine"))
    assert found == {"mine": "", "other": "suspended on mine: no A100 PCIe 80GB"}


@pytest.mark.parametrize("power", ["off", "suspended"])
def test_nothing_is_compared_of_who_was_off_or_of_whom_no_host_is_said(power: str) -> None:
    told = {"host": "mine"} if power == "off" else {}
    vm = {**suspended("desk", "A40-8Q", **told), "power": power}
    assert set(allowed(VDI, vm).values()) == {""}


def test_who_resumed_elsewhere_breaks_it() -> None:
    asked = Asked(values(VDI, [suspended("desk", "A40-8Q", host="mine")]), "resume", desk="no-ecc")
    assert asked.breaches == {"no-ecc: desk was suspended on mine: ECC state differs": 1}
