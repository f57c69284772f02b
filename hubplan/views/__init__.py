"""The answer, for eyes."""
