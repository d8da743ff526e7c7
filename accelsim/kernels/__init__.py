"""Numba tile arithmetic on plain arrays: no clock, no configuration, no randomness of its own.

Every kernel takes C-contiguous arrays and plain numbers, and widens before it could overflow, so
that it computes the same with and without compilation.
"""
