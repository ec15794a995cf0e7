"""The calls of tracking SDKs, and how they become records."""
