"""The report of a simulation: what was seen, as figures, as a table and as a page."""
