"""HTTP: the server, bodies, what is around every call, and how answers look."""
