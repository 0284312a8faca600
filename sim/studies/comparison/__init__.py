"""`compare`: brains and variants on the same traces and random numbers."""
