"""The pure core: definitions, contacts, scores, windows and timers as functions of the log.

Nothing in this package reads a clock, a socket, a random number or a log file: `now` is an argument.
"""
