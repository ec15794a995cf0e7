"""One partition's way from the log to its transitions: admitted, folded, committed, published."""
