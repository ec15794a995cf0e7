"""Signed webhooks, as Standard Webhooks 1.0.0 has them: at least once, in order for each contact.

The `webhook-id` of a delivery is the transition's id, the same at every attempt, after every restart and at a replay
from the dead-letter list: a receiver that remembers ids sees each transition once.
"""
