"""The authors' tools: notebooks from their sources, student copies from notebooks, and counts of what is checked."""
