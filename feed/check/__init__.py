"""The check of a policy before it is published."""
