"""The work that every contender of the comparison does: definitions, events, the rules by hand, the right result."""
