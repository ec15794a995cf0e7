"""Everything that may befall Segue, in one process, from one seed, on a virtual clock.

The pipeline, its recovery, its relay, its ticks, its lanes and the consumers' engine are the real ones, on their own
ports. Around them stand a log with partitions, groups, generations and offsets, and a store with the real one's atomic
commit, all in memory; and a network that loses, delays and repeats. A seed draws the load and the faults; the same seed
gives the same run. What came out is then held against the log by `tests/audit`.
"""
