"""What a change of definitions will do, before it does it: built beside what serves, and compared with that."""
