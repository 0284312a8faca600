"""`grow`: where growth reaches its first limit, and what then to buy."""
