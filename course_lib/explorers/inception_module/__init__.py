"""The explorer of the Inception module."""
