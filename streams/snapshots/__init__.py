"""Restore points: what a snapshot holds, whether a partition may go back to one, and the files that they lie in."""
