"""What keeps callers out, and what of a call may be kept."""
