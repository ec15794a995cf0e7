"""Consumers of `transitions`: each passes a sequence gate, then hands the transition to its sink.

Topics are the only coupling to `streams`, which this package never imports.

One transition's way, in file order: `kafka_source` reads it, `arrivals` makes sense of its headers, `gate` lets it
pass exactly once and in order, `window` keeps track of what is settled, `engine` hands it to the sink (`log`,
`webhook`), `progress_store` and the group's offset remember how far it went, and `start` decides where to go on.
"""
