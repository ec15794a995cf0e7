"""Scenarios: what is given, what is expected, and what the simulator makes of it. Tests for marketers."""
