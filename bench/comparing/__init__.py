"""How the comparison is run: servers, topics, one contender's run, what it took."""
