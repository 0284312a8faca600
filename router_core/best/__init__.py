"""The best routes of the moment between all pairs, and what changes when a line changes."""
