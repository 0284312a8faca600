"""Brains against a series of measured matrices: how far from the least peak utilisation each keeps the network.

No exchange is simulated here: a matrix spreads over the lines as the shares say, and the busiest line is what counts.
"""
