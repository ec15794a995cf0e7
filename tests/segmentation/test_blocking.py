"""Why not: the smallest set of leaves that keeps a contact out, held against trying every set."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.segmentation.blocking import Blocking, blocking
from streams.segmentation.expressions import All, Any_, InSegment, Leaf, Node, Not

NAMES = "abcdef"


def bit_of(node: Leaf | InSegment) -> int:
    assert isinstance(node, InSegment)
    return 1 << (int(node.segment) if node.segment.isdigit() else ord(node.segment) - ord("a"))


def holds(node: Node, bits: int) -> bool:
    if isinstance(node, Leaf | InSegment):
        return bool(bits & bit_of(node))
    if isinstance(node, Not):
        return not holds(node.part, bits)
    return (all if isinstance(node, All) else any)([holds(part, bits) for part in node.parts])


def let_in(when: Node, exit_when: Node | None, bits: int) -> bool:
    return holds(when, bits) and not (exit_when is not None and holds(exit_when, bits))


def smallest_by_trial(when: Node, exit_when: Node | None, bits: int) -> int | None:
    for size in range(len(NAMES) + 1):
        for chosen in combinations(range(len(NAMES)), size):
            if let_in(when, exit_when, bits ^ sum(1 << place for place in chosen)):
                return size
    return None


leaves = st.sampled_from(NAMES).map(InSegment)
trees = st.recursive(
    leaves,
    lambda parts: st.one_of(
        parts.map(Not),
        st.lists(parts, min_size=1, max_size=4).map(lambda each: All(tuple(each))),
        st.lists(parts, min_size=1, max_size=4).map(lambda each: Any_(tuple(each))),
    ),
    max_leaves=14,
)


@settings(max_examples=600, deadline=None)
@given(trees, st.none() | trees, st.integers(0, 63))
def test_turning_the_leaves_lets_the_contact_in_and_no_smaller_set_does(
    when: Node, exit_when: Node | None, bits: int
) -> None:
    found = blocking(when, exit_when, bits, bit_of)
    smallest = smallest_by_trial(when, exit_when, bits)
    if found is None:
        assert smallest is None
        return
    assert let_in(when, exit_when, bits ^ found.leaves)
    assert found.leaves.bit_count() == smallest
    assert found.smallest


def test_a_condition_that_contradicts_itself_lets_nobody_in() -> None:
    a = InSegment("a")
    assert blocking(All((a, Not(a))), None, 0, bit_of) is None
    assert blocking(a, a, 0, bit_of) is None


def test_the_first_of_several_smallest_sets_is_named() -> None:
    either = Any_((InSegment("c"), InSegment("a"), InSegment("b")))
    assert blocking(either, None, 0, bit_of) == Blocking(0b100, smallest=True)


def test_a_tree_of_hundreds_of_leaves_is_searched_exactly() -> None:
    groups = [Any_(tuple(InSegment(str(10 * group + place)) for place in range(10))) for group in range(60)]
    found = blocking(All(tuple(groups)), None, 0, bit_of)
    assert found is not None
    assert (found.leaves.bit_count(), found.smallest) == (60, True)


def test_repeated_leaves_are_turned_once_for_all_places() -> None:
    shared = InSegment("f")
    parts = [Any_((InSegment(name), shared)) for name in "abcde"]
    assert blocking(All(tuple(parts)), None, 0, bit_of) == Blocking(bit_of(shared), smallest=True)


def test_where_too_many_leaves_are_repeated_a_set_is_found_and_said_to_be_perhaps_not_the_smallest() -> None:
    names = [str(number) for number in range(40)]
    pairs = [Any_((InSegment(names[place]), InSegment(names[(place * 7 + 1) % 40]))) for place in range(40)]
    tree = All(tuple(pairs))
    found = blocking(tree, None, 0, bit_of)
    assert found is not None
    assert holds(tree, found.leaves)
    assert not found.smallest
