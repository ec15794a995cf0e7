"""Results as they are kept and shown: JSON, Markdown, charts."""
