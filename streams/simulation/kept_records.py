"""Records of anonymous contacts, kept for the day on which one is linked: on disk once they are many."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left

from schemas.records import (
    Consent,
    ContactRecord,
    Correction,
    Identify,
    ListMembership,
    MovedRecord,
    Track,
    decode_record,
    encode_record,
)

_BYTES_IN_MEMORY = 64 * 1024**2


class KeptRecords:
    """Records of one partition by their offsets, which rise."""

    def __init__(self) -> None:
        self._offsets, self._ends = array("Q"), array("Q")
        self._file = tempfile.SpooledTemporaryFile(_BYTES_IN_MEMORY, prefix="segue-")  # noqa: SIM115 - ends with us

    def keep(self, offset: int, record: ContactRecord) -> None:
        """Keep the record at an offset."""
        self._file.seek(self._ends[-1] if self._ends else 0)
        self._file.write(encode_record(record))
        self._offsets.append(offset)
        self._ends.append(self._file.tell())

    def read(self, offset: int) -> MovedRecord:
        """The record that was kept for an offset."""
        place = bisect_left(self._offsets, offset)
        assert self._offsets[place] == offset, "records of anonymous contacts are kept"
        start = self._ends[place - 1] if place else 0
        self._file.seek(start)
        record = decode_record(self._file.read(self._ends[place] - start))
        assert isinstance(record, Track | Identify | Consent | ListMembership | Correction), "no other moves"
        return record
