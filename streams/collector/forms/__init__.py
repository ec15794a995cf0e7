"""HTML forms, and the double opt-in."""
