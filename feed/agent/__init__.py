"""The front-end side: fetches, checks, applies and acknowledges bundles, and executes tasks by them."""
