"""Tides: calendar-aware quantile forecasts of demand, calibrated, pooled, and honest about what is not known."""
