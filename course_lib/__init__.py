"""Building blocks of the course on the Inception networks.

Imports run one way: architecture <- models <- training <- explorers, teaching <- notebooks.
"""
