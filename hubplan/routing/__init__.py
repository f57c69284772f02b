"""The good ways between two sites."""
