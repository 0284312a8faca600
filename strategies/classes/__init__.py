"""Classes of demand: what relations of one rhythm, size and purpose have in common, and the policy they share."""
