"""Where routes can run, and the few paths a pair that plans choose from."""
