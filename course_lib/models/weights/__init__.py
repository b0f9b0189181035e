"""Weights of a network: from other libraries' files, and between its merged and its plain form."""
