"""The file format of the spool: whatever befalls a file, what is read from it are frames that were written."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.ports import Entry
from streams.spool.frames import HEAD_BYTES, MARKER, Frame, encode, find

_texts = st.text(st.characters(codec="utf-8"), max_size=40)
_frames = st.lists(
    st.builds(Frame, st.integers(0, 2**63), st.builds(Entry, _texts, _texts.map(str.encode))), min_size=1, max_size=6
)


def _written(frames: Sequence[Frame]) -> bytes:
    return b"".join(encode([frame.entry], frame.arrived_ms) for frame in frames)


def _is_part(found: Sequence[Frame], frames: Sequence[Frame]) -> bool:
    """Whether one is the other with some left out."""
    rest = iter(frames)
    return all(frame in rest for frame in found)


@given(_frames)
def test_what_was_written_is_read_again(frames: list[Frame]) -> None:
    assert find(_written(frames)) == (frames, 0, 0, 0)


@given(_frames, st.data())
def test_a_file_that_was_cut_holds_the_frames_before_the_cut_and_counts_as_unfinished_not_as_damaged(
    frames: list[Frame], data: st.DataObject
) -> None:
    content = _written(frames)
    cut = data.draw(st.integers(0, len(content)))
    whole = [number for number in range(len(frames) + 1) if len(_written(frames[:number])) <= cut][-1]
    found = find(content[:cut])
    assert found.frames == frames[:whole]
    assert found.damaged == 0
    assert found.unfinished_bytes == cut - len(_written(frames[:whole]))


@given(_frames, st.data())
def test_a_bit_that_flipped_costs_its_frame_and_no_other(frames: list[Frame], data: st.DataObject) -> None:
    content = bytearray(_written(frames))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    hit = [number for number in range(len(frames)) if len(_written(frames[:number])) <= place][-1]
    found = find(bytes(content))
    assert found.frames == frames[:hit] + frames[hit + 1 :]
    assert found.damaged or found.unfinished_bytes


@given(_frames, st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=60), st.integers(0, 60)), max_size=5))
def test_a_file_that_was_written_over_anywhere_holds_only_frames_that_were_written_in_their_order(
    frames: list[Frame], harms: list[tuple[int, bytes, int]]
) -> None:
    content = _written(frames)
    for place, put, gone in harms:
        content = content[:place] + put + content[place + gone :]
    assert _is_part(find(content).frames, frames)


@given(st.binary(max_size=300))
def test_what_is_no_spool_holds_nothing(content: bytes) -> None:
    assert find(content).frames == []


def test_zeros_at_the_end_are_what_a_file_grew_by_before_the_power_failed() -> None:
    frame = Frame(7, Entry("c1", b"{}"))
    assert find(encode([frame.entry], 7) + bytes(4_096)) == ([frame], 0, 0, 4_096)


def test_a_whole_frame_behind_an_unfinished_one_makes_it_a_damage() -> None:
    first, second = encode([Entry("c1", b"{}")], 1), encode([Entry("c2", b"{}")], 2)
    found = find(first[:-1] + second)
    assert [frame.entry.contact_id for frame in found.frames] == ["c2"]
    assert (found.damaged, found.damaged_bytes) == (1, len(first) - 1)


def test_a_last_frame_whose_content_changed_is_damaged_not_unfinished() -> None:
    content = encode([Entry("c1", b"{}")], 1)
    assert find(content[:-1] + b"]") == ([], 1, len(content), 0)


def test_no_text_has_the_marker_in_it() -> None:
    assert not any(bytes([byte]) in MARKER for byte in range(0xF5))
    assert len(encode([], 0)) == 0
    assert len(encode([Entry("", b"")], 0)) == HEAD_BYTES
