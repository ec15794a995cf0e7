"""Into the log: definitions, their lists, history, and single records with what comes of them."""
