"""What must have come out of a log, computed from nothing but the log, and held against what did come out.

The transitions are the brute-force oracle's: none of the core's code has a say in them. The bytes of the state are
those of one fold without any interruption. Both the simulation and the faults on real servers end here.
"""

from tests.audit.auditor import audit_partition
from tests.audit.log import PartitionLog, dead_letters_expected

__all__ = ["PartitionLog", "audit_partition", "dead_letters_expected"]
