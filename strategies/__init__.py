"""The brain and its parts; no clock, no sockets, no files."""
