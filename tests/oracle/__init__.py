"""A second implementation of the semantics, and its comparison with the core.

It keeps every record of a contact and works everything out anew at every instant that may matter. It shares no code
with the core: where the two differ, one of them misreads the semantics.
"""
