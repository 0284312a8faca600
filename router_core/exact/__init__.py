"""Optima by linear programming (HiGHS): the yardstick of every split, used offline, in tests and as a fallback."""
