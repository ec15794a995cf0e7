"""Changes that each break one promise, as patches. A suite that does not notice one of them could not fail."""
