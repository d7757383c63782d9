"""The row of one GPU: NVIDIA's own examples, known counts, and a slow count of everything beside the quick one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer_models.gpus import Catalogue, Items, Layout, Pick, Sharing, Use, free_slots, layouts, lays

Item = tuple[Use, int | None]
CATALOGUE = Catalogue.shipped()
SEVEN = ("1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb")
"""The profiles of an A100-40 that were there from the start: neither +me nor the 1g with two memory slices."""


def uses(model: str, sharing: Sharing, *profiles: str) -> list[Use]:
    found = [CATALOGUE.find(model).use(sharing, profile=profile) for profile in profiles]
    assert None not in found, (model, sharing, profiles)
    return [use for use in found if use is not None]


def stand(model: str, sharing: Sharing, *items: tuple[str, int | None]) -> list[Item]:
    return [(uses(model, sharing, profile)[0], slot) for profile, slot in items]


def faults(model: str, sharing: Sharing, *items: tuple[str, int | None]) -> list[str]:
    return lays(stand(model, sharing, *items), CATALOGUE.find(model).row_units(sharing))


def free(model: str, sharing: Sharing, profile: str, *items: tuple[str, int | None]) -> tuple[int | None, ...]:
    row = CATALOGUE.find(model).row_units(sharing)
    return free_slots(uses(model, sharing, profile)[0], row, stand(model, sharing, *items))


def ways(
    model: str, sharing: Sharing, profiles: Sequence[str], held: Items = (), *, maximal: bool = True, pick: Pick = "any"
) -> list[Layout]:
    row = CATALOGUE.find(model).row_units(sharing)
    found = layouts(uses(model, sharing, *profiles), row, held, maximal=maximal, pick=pick)
    assert found is not None
    return found


def fits(model: str, sharing: Sharing, *profiles: str, pick: Pick = "any") -> bool:
    """Whether an empty GPU takes exactly these, wherever they stand."""
    kinds = sorted(set(profiles))
    wanted = Counter(profiles)
    return any(
        all(wanted[kind] <= number for kind, number in zip(kinds, way.counts, strict=True))
        for way in ways(model, sharing, kinds, pick=pick)
    )


# vGPUs of one size or one type (UG8, UG17)


def test_an_m60_takes_one_type_to_a_gpu_and_its_two_gpus_are_independent() -> None:
    assert faults("M60", "same-size", *[("M60-2Q", slot) for slot in range(4)]) == []
    assert faults("M60", "same-size", ("M60-4Q", 0), ("M60-4Q", 1)) == []
    assert faults("M60", "same-size", ("M60-2Q", 0), ("M60-4Q", 1)) == [
        "M60-2Q and M60-4Q on one GPU; it takes one of them at a time"
    ]
    assert faults("M60", "same-size", ("M60-2Q", 0), ("M60-2B", 1)) != []
    assert free("M60", "same-size", "M60-1B", ("M60-2Q", 0)) == ()


def test_a_fifth_m60_2q_finds_no_slot() -> None:
    assert free("M60", "same-size", "M60-2Q", ("M60-2Q", 0), ("M60-2Q", 2)) == (1, 3)
    assert free("M60", "same-size", "M60-2Q", *[("M60-2Q", slot) for slot in range(4)]) == ()
    assert faults("M60", "same-size", *[("M60-2Q", slot) for slot in range(5)]) == [
        "slot 4 is no legal start; legal: 0, 1, 2, 3",
        "5 items on one GPU, at most 4 of M60-2Q",
    ]


def test_an_a40_mixes_series_but_not_sizes() -> None:
    assert faults("A40", "same-size", ("A40-2B", 0), ("A40-2Q", 1)) == []
    assert faults("A40", "same-size", ("A40-2Q", 0), ("A40-4Q", 1)) == [
        "2048 MiB and 4096 MiB on one GPU; it takes one of them at a time"
    ]


def test_same_size_slots_that_nobody_knows_still_count() -> None:
    seven = [("M60-1Q", None)] * 7
    assert faults("M60", "same-size", *seven) == []
    assert free("M60", "same-size", "M60-1Q", *seven) == (0,)
    assert free("M60", "same-size", "M60-1Q", *seven, ("M60-1Q", 0)) == ()
    assert faults("M60", "same-size", *seven, ("M60-1Q", 3), ("M60-1Q", 4)) == [
        "9 items on one GPU, at most 8 of M60-1Q"
    ]


def test_an_empty_m60_takes_four_of_one_type_or_eight_of_another() -> None:
    found = ways("M60", "same-size", ["M60-2Q", "M60-1Q"])
    assert [way.counts for way in found] == [(4, 0), (0, 8)]
    assert found[0].seats == ((0, 0), (0, 1), (0, 2), (0, 3))
    held = stand("M60", "same-size", ("M60-1Q", 2))
    (rest,) = ways("M60", "same-size", ["M60-2Q", "M60-1Q"], held)
    assert rest.counts == (0, 7)
    assert [slot for _, slot in rest.seats] == [0, 1, 3, 4, 5, 6, 7]


def test_the_c_series_limit_holds_inside_a_size() -> None:
    eight = [("RTX8000P-4C", slot) for slot in range(8)]
    assert faults("RTX8000P", "same-size", *eight) == []
    assert faults("RTX8000P", "same-size", *eight, ("RTX8000P-4C", 8)) == ["9 x RTX8000P-4C on one GPU, at most 8"]
    assert free("RTX8000P", "same-size", "RTX8000P-4C", *eight) == ()
    assert free("RTX8000P", "same-size", "RTX8000P-4Q", *eight) == (8, 9, 10, 11)
    found = ways("RTX8000P", "same-size", ["RTX8000P-4C", "RTX8000P-4Q"])
    assert sorted(way.counts for way in found) == [(c, 12 - c) for c in range(9)]


# Mixed sizes (UG17 A.3)


def test_mixed_size_takes_other_sizes_and_series_where_the_placements_allow() -> None:
    assert faults("A40", "mixed-size", ("A40-4Q", 0), ("A40-2Q", 4)) == []
    assert faults("A40", "mixed-size", ("A40-4Q", 0), ("A40-2B", 4)) == []
    assert faults("A40", "mixed-size", ("A40-4Q", 0), ("A40-2Q", 3)) != []
    assert faults("A40", "mixed-size", ("A40-8Q", 16), ("A40-4Q", 20)) == [
        "slot 20 (units 20-23) overlaps what stands there"
    ]


def test_two_running_l4_6q_leave_the_offsets_that_nvidia_lists() -> None:
    assert free("L4", "mixed-size", "L4-6Q") == (0, 6, 12, 18)
    assert free("L4", "mixed-size", "L4-6Q", ("L4-6Q", 0), ("L4-6Q", 12)) == (6, 18)


def test_mixed_size_holds_fewer_of_one_size_than_same_size() -> None:
    for model, profile, mixed, same in (("A40", "A40-16Q", 2, 3), ("H100", "H100-4C", 16, 20), ("L4", "L4-8Q", 2, 3)):
        assert [way.counts for way in ways(model, "mixed-size", [profile])] == [(mixed,)]
        assert [way.counts for way in ways(model, "same-size", [profile])] == [(same,)]


def test_a_running_vgpu_whose_placement_is_not_known_leaves_nothing_surely_free() -> None:
    assert free("L4", "mixed-size", "L4-6Q", ("L4-6Q", None)) == ()
    held = stand("L4", "mixed-size", ("L4-6Q", None))
    assert [way.counts for way in ways("L4", "mixed-size", ["L4-6Q"], held)] == [(0,)]
    assert lays(held, 24) == ["an item has no slot"]


def test_all_sizes_of_a_48_gb_card_have_6931_maximal_layouts_and_never_more_than_32_vgpus() -> None:
    sizes = [f"A40-{size}Q" for size in (48, 24, 16, 12, 8, 6, 4, 3, 2, 1)]
    assert len(ways("A40", "mixed-size", [f"A40-{size}Q" for size in (1, 2, 4, 8, 12, 24)])) == 606
    found = ways("A40", "mixed-size", sizes)
    assert len(found) == 6931
    assert max(sum(way.counts) for way in found) <= 32


# MIG (MIGUG)


def test_a100_4g_2g_1g_stand_at_0_4_6() -> None:
    assert faults("A100", "mig", ("4g.20gb", 0), ("2g.10gb", 4), ("1g.5gb", 6)) == []
    (way,) = [way for way in ways("A100", "mig", SEVEN) if way.counts == (1, 1, 0, 1, 0)]
    assert sorted(way.seats) == [(0, 6), (1, 4), (3, 0)]


def test_small_instances_first_can_leave_no_place_for_a_3g_and_large_first_finds_all() -> None:
    spread = [("1g.5gb", 0), ("1g.5gb", 6), ("2g.10gb", 2)]
    assert faults("A100", "mig", *spread) == []
    assert free("A100", "mig", "3g.20gb", *spread) == ()
    assert faults("A100", "mig", ("3g.20gb", 4), ("1g.5gb", 0), ("2g.10gb", 2), ("1g.5gb", 1)) == []
    asked = ("1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb")
    assert fits("A100", "mig", *asked)
    assert not fits("A100", "mig", *asked, pick="worst")


def test_2g_and_five_1g_stand_together() -> None:
    assert faults("A100", "mig", ("2g.10gb", 4), *[("1g.5gb", slot) for slot in (0, 1, 2, 3, 6)]) == []
    assert fits("A100", "mig", "2g.10gb", *["1g.5gb"] * 5)


def test_two_3g_leave_no_memory_slice_for_a_1g() -> None:
    assert free("A100", "mig", "1g.5gb", ("3g.20gb", 0), ("3g.20gb", 4)) == ()
    assert not fits("A100", "mig", "3g.20gb", "3g.20gb", "1g.5gb")


def test_a_second_instance_with_media_extensions_is_refused() -> None:
    assert faults("A100", "mig", ("1g.5gb+me", 0)) == []
    assert free("A100", "mig", "1g.5gb+me", ("1g.5gb+me", 0)) == ()
    assert faults("A100", "mig", ("1g.5gb+me", 0), ("A100-1-5CME", 1)) == ["2 x me on one GPU, at most 1"]
    assert free("A30", "mig", "2g.12gb+me", ("1g.6gb+me", 0)) == ()


def test_all_media_engines_in_one_instance_leave_none_to_others() -> None:
    card = "RTX PRO 6000 Blackwell Server Edition"
    assert free(card, "mig", "1g.24gb", ("1g.24gb+me.all", 0)) == ()
    assert free(card, "mig", "1g.24gb-me", ("1g.24gb+me.all", 0)) == (3, 6, 9)
    assert free(card, "mig", "1g.24gb+me.all", ("1g.24gb+gfx", 3)) == ()
    assert faults(card, "mig", ("1g.24gb+me.all", 0), ("1g.24gb", 3)) == ["2 x media on one GPU, at most 1"]


def test_mig_backed_vgpu_types_stand_as_their_instances_do() -> None:
    assert fits("A100", "mig", *["A100-2-10C"] * 3)
    assert not fits("A100", "mig", *["A100-2-10C"] * 4)
    assert fits("A100", "mig", *["A100-3-20C"] * 2)
    assert fits("A100", "mig", "A100-4-20C", "A100-2-10C", "A100-1-5C")


def test_1g_at_0_1_and_5_shut_out_4g_and_3g_on_an_h100() -> None:
    ones: list[tuple[str, int | None]] = [("1g.10gb", slot) for slot in (0, 1, 5)]
    assert free("H100", "mig", "4g.40gb", *ones) == ()
    assert free("H100", "mig", "3g.40gb", *ones) == ()
    assert free("H100", "mig", "1g.10gb", *ones) == (2, 3, 4, 6)


def test_a_1g_after_two_2g_fails_by_position_not_by_number() -> None:
    twos: list[tuple[str, int | None]] = [("2g.20gb", 0), ("2g.20gb", 4)]
    assert faults("H100", "mig", *twos, ("1g.10gb", 5)) == ["slot 5 (unit 5) overlaps what stands there"]
    assert free("H100", "mig", "1g.10gb", *twos) == (2, 3, 6)
    assert free("H100", "mig", "1g.20gb", *twos) == (2, 6)
    assert free("H100", "mig", "2g.20gb", *twos) == (2,)


def test_a_3g_at_0_shuts_out_the_4g_and_at_4_does_not() -> None:
    assert free("H100", "mig", "4g.40gb", ("3g.40gb", 0)) == ()
    assert free("H100", "mig", "4g.40gb", ("3g.40gb", 4)) == (0,)
    assert fits("H100", "mig", "3g.40gb", "4g.40gb")
    assert fits("H100", "mig", "3g.40gb", "4g.40gb", pick="first")  # the 4g comes first, then the 3g
    (way,) = [way for way in ways("H100", "mig", ["3g.40gb", "4g.40gb"], pick="first") if way.counts == (1, 1)]
    assert way.seats == ((1, 0), (0, 4))


def test_the_double_memory_1g_takes_two_slices() -> None:
    assert free("H100", "mig", "1g.20gb") == (0, 2, 4, 6)
    assert faults("H100", "mig", *[("1g.20gb", slot) for slot in (0, 2, 4, 6)]) == []
    assert faults("H100", "mig", ("1g.20gb", 6), ("1g.10gb", 6)) == ["slot 6 (unit 6) overlaps what stands there"]


def every_set(model: str, profiles: Sequence[str]) -> set[frozenset[tuple[str, int]]]:
    """All legal sets of seats, found with free_slots alone."""
    found = {frozenset[tuple[str, int]]()}
    queue = list(found)
    for seats in queue:
        for profile in profiles:
            for slot in free(model, "mig", profile, *seats):
                assert slot is not None
                more = seats | {(profile, slot)}
                if more not in found:
                    found.add(more)
                    queue.append(more)
    return found


@pytest.mark.parametrize(
    ("model", "profiles", "sets", "stuck", "multisets"),
    [
        ("A100", SEVEN, 298, 19, 14),
        ("A100", (*SEVEN, "1g.10gb"), 723, 78, 38),
        ("H100", ("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"), 298, 19, 14),
        ("A30", ("1g.6gb", "2g.12gb", "4g.24gb"), 26, 5, 4),
    ],
)
def test_mig_has_as_many_layouts_as_were_counted(
    model: str, profiles: tuple[str, ...], sets: int, stuck: int, multisets: int
) -> None:
    found = every_set(model, profiles)
    full = [seats for seats in found if not any(free(model, "mig", profile, *seats) for profile in profiles)]
    assert len(found) == sets  # the empty GPU is one of them
    assert len(full) == stuck
    assert len({tuple(sorted(profile for profile, _ in seats)) for seats in full}) == multisets


def test_twelve_of_the_fourteen_full_mig_layouts_are_not_parts_of_larger_ones() -> None:
    counts = {way.counts for way in ways("A100", "mig", SEVEN)}
    assert counts == {
        (7, 0, 0, 0, 0),
        (5, 1, 0, 0, 0),
        (3, 2, 0, 0, 0),
        (1, 3, 0, 0, 0),
        (4, 0, 1, 0, 0),
        (2, 1, 1, 0, 0),
        (0, 2, 1, 0, 0),
        (0, 0, 2, 0, 0),
        (3, 0, 0, 1, 0),
        (1, 1, 0, 1, 0),
        (0, 0, 1, 1, 0),
        (0, 0, 0, 0, 1),
    }


def test_no_shipped_mig_geometry_lets_the_compute_slices_run_over() -> None:
    for model in ("A100", "H100", "A30", "B200", "RTX PRO 6000 Blackwell Server Edition"):
        mig = CATALOGUE.find(model).mig
        assert mig is not None
        names = [shape.name for shape in mig.instances if shape.starts and "me" not in shape.name]
        slices = {shape.name: shape.compute_slices for shape in mig.instances}
        for way in ways(model, "mig", names):
            total = sum(number * slices[name] for name, number in zip(names, way.counts, strict=True))
            assert total <= mig.compute_slices


# Whole GPUs and fractions


def test_a_passed_through_gpu_is_for_one_vm() -> None:
    whole = Use(1, (0,))
    assert free_slots(whole, 1, []) == (0,)
    assert free_slots(whole, 1, [(whole, 0)]) == ()
    assert lays([(whole, 0), (whole, 0)], 1) == ["slot 0 (unit 0) overlaps what stands there"]
    assert layouts([whole], 1, [], maximal=False) == [Layout((0,), ()), Layout((1,), ((0, 0),))]


def test_fractions_fill_a_gpu_to_the_last_thousandth() -> None:
    half, rest, whole = Use(500, None), Use(1, None), Use(1000, None)
    assert free_slots(half, 1000, [(half, None)]) == (None,)
    assert free_slots(rest, 1000, [(half, None), (half, None)]) == ()
    assert free_slots(whole, 1000, [(rest, None)]) == ()
    assert lays([(half, None), (half, None), (rest, None)], 1000) == ["1001 of 1000 thousandths are taken"]
    found = layouts([Use(460, None), Use(270, None)], 1000, [], maximal=True)
    assert found == [
        Layout((2, 0), ((0, None), (0, None))),
        Layout((1, 2), ((0, None), (1, None), (1, None))),
        Layout((0, 3), ((1, None), (1, None), (1, None))),
    ]


def test_the_twenty_fractions_of_the_openb_trace_have_1871_maximal_mixes() -> None:
    sizes = (50, 110, 140, 160, 220, 230, 270, 290, 320, 330, 350, 370, 440, 460, 470, 480, 550, 590, 650, 810)
    kinds = [Use(size, None) for size in sizes]
    found = layouts(kinds, 1000, [], maximal=True)
    assert found is not None
    assert len(found) == 1871
    assert layouts(kinds, 1000, [], maximal=True, limit=1870) is None


# What must hold for any row


def test_more_layouts_than_the_limit_are_none_and_as_many_are_not() -> None:
    kinds = uses("A100", "mig", *SEVEN)
    picks: tuple[Pick, ...] = ("any", "first")
    for maximal, pick in product((True, False), picks):
        found = layouts(kinds, 8, [], maximal=maximal, pick=pick)
        assert found is not None
        assert layouts(kinds, 8, [], maximal=maximal, pick=pick, limit=4) is None
    assert len(layouts(kinds, 8, [], maximal=False, limit=271) or ()) == 271


def test_a_search_that_grows_out_of_hand_gives_up() -> None:
    kinds = uses("A40", "mixed-size", *[f"A40-{size}Q" for size in (1, 2, 4, 8, 12, 24)])
    assert layouts(kinds, 48, [], maximal=True, pick="first", limit=500) is None
    assert layouts(kinds, 48, [], maximal=True, pick="worst", limit=500) is None


def test_what_holds_already_two_sizes_takes_nothing_more() -> None:
    held = stand("A40", "same-size", ("A40-2Q", 0), ("A40-4Q", 1))
    kinds = uses("A40", "same-size", "A40-2Q", "A40-4Q")
    assert free_slots(kinds[0], 32, held) == ()
    assert layouts(kinds, 32, held, maximal=True) == [Layout((0, 0), ())]


def test_a_limit_that_is_broken_already_does_not_bar_what_it_does_not_name() -> None:
    broken = stand("A100", "mig", ("1g.5gb+me", 0), ("1g.5gb+me", 1))
    kinds = uses("A100", "mig", "4g.20gb", "2g.10gb", "1g.5gb+me")
    assert free_slots(kinds[2], 8, broken) == ()
    assert [way.counts for way in layouts(kinds, 8, broken, maximal=True) or ()] == [(0, 2, 0)]


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[Use], int, list[Item]]:
    """A short row, up to three uses (any starts, some too near the end; sometimes limits), and what stands there."""
    row = draw(st.integers(2, 6))
    kinds = []
    for _ in range(draw(st.integers(1, 3))):
        units = draw(st.integers(1, min(3, row)))
        starts = tuple(sorted(draw(st.sets(st.integers(0, row - 1), min_size=1))))
        caps = draw(st.sampled_from([(), (), (("a", 1),), (("a", 2),), (("a", 1), ("b", 1))]))
        kinds.append(Use(units, starts, None, caps))
    held: list[Item] = []
    for use in draw(st.lists(st.sampled_from(kinds), max_size=2)):
        if slots := free_slots(use, row, held):
            held.append((use, draw(st.sampled_from(slots))))
    return kinds, row, held


def legal_seats(kinds: list[Use], row: int, held: list[Item]) -> list[tuple[tuple[int, int], ...]]:
    """Every legal set of seats, by asking lays about each subset of all seats."""
    seats = [(i, start) for i, use in enumerate(kinds) for start in use.starts or ()]
    return [
        subset
        for number in range(row + 1)
        for subset in combinations(seats, number)
        if not lays([*held, *((kinds[i], slot) for i, slot in subset)], row)
    ]


def counted(kinds: list[Use], seats: Sequence[tuple[int, int | None]]) -> tuple[int, ...]:
    numbers = Counter(i for i, _ in seats)
    return tuple(numbers[i] for i in range(len(kinds)))


def mask(kinds: list[Use], seats: Sequence[tuple[int, int | None]]) -> frozenset[int]:
    return frozenset(unit for i, slot in seats if slot is not None for unit in range(slot, slot + kinds[i].units))


def tops(vectors: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    return {
        one
        for one in vectors
        if not any(one != other and all(a <= b for a, b in zip(one, other, strict=True)) for other in vectors)
    }


@settings(max_examples=150, deadline=None)
@given(rows())
def test_layouts_are_exactly_what_lays_accepts(world: tuple[list[Use], int, list[Item]]) -> None:
    kinds, row, held = world
    slow = legal_seats(kinds, row, held)
    every = layouts(kinds, row, held, maximal=False)
    assert every is not None
    found = [(way.counts, mask(kinds, way.seats)) for way in every]
    assert set(found) == {(counted(kinds, seats), mask(kinds, seats)) for seats in slow}
    assert len(found) == len(set(found))
    best = layouts(kinds, row, held, maximal=True)
    assert best is not None
    assert len(best) == len({way.counts for way in best})
    assert {way.counts for way in best} == tops({counts for counts, _ in found})
    for way in (*every, *best):
        assert way.counts == counted(kinds, way.seats)
        assert not lays([*held, *((kinds[i], slot) for i, slot in way.seats)], row)
        assert [slot for _, slot in way.seats] == sorted(slot or 0 for _, slot in way.seats)


@settings(max_examples=150, deadline=None)
@given(rows())
def test_free_slots_are_exactly_the_starts_that_lays_accepts(world: tuple[list[Use], int, list[Item]]) -> None:
    kinds, row, held = world
    for use in kinds:
        assert free_slots(use, row, held) == tuple(
            start for start in use.starts or () if not lays([*held, (use, start)], row)
        )


def first_fit(kinds: list[Use], row: int, held: list[Item], order: Sequence[int]) -> bool:
    standing = list(held)
    for i in order:
        slots = free_slots(kinds[i], row, standing)
        if not slots:
            return False
        standing.append((kinds[i], slots[0]))
    return True


def worst_fit(kinds: list[Use], row: int, held: list[Item], order: Sequence[int]) -> bool:
    if not order:
        return True
    slots = free_slots(kinds[order[0]], row, held)
    return bool(slots) and all(worst_fit(kinds, row, [*held, (kinds[order[0]], slot)], order[1:]) for slot in slots)


@settings(max_examples=60, deadline=None)
@given(rows())
def test_first_and_worst_are_what_some_order_of_arrival_gives(world: tuple[list[Use], int, list[Item]]) -> None:
    kinds, row, held = world
    everything = layouts(kinds, row, held, maximal=False)
    assert everything is not None
    vectors = {way.counts for way in everything if sum(way.counts) <= 4}
    managers: list[tuple[Pick, Callable[..., bool]]] = [("first", first_fit), ("worst", worst_fit)]
    for pick, manager in managers:
        slow = {
            counts
            for counts in vectors
            if any(
                manager(kinds, row, held, order)
                for order in set(permutations([i for i, number in enumerate(counts) for _ in range(number)]))
            )
        }
        found = layouts(kinds, row, held, maximal=False, pick=pick)
        best = layouts(kinds, row, held, maximal=True, pick=pick)
        assert found is not None
        assert best is not None
        assert {way.counts for way in found if sum(way.counts) <= 4} == slow
        assert {way.counts for way in best} == tops({way.counts for way in found})
        for way in (*found, *best):
            assert first_fit(kinds, row, held, [i for i, _ in way.seats])
            assert not lays([*held, *((kinds[i], slot) for i, slot in way.seats)], row)
