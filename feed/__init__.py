"""Towards the live centre: signed policy bundles, the server that publishes them, the agent that applies them."""
