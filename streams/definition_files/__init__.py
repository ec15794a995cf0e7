"""Definition files as people write them: YAML and CSV, read with the place of everything in them."""
