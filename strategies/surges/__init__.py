"""Surges: what no forecast said, found in the residuals, sized, placed and followed to its end."""
