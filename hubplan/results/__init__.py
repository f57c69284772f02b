"""The answer, as tables."""
