"""What failures cost: every one by itself, and pairs of them, each held against the same hours without it."""
