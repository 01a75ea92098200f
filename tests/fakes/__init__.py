"""Generators of tiny data sets with the layouts of the real ones, made of our own shapes."""
