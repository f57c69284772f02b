"""What the world is, and what we assume of it."""
