"""Plans, made in memory."""
