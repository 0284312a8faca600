"""Policy bundles: what they hold, how they are packed, compared and cut to what one front-end needs."""
