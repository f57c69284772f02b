"""The checker's own reading of the rules: nothing here imports the planning model."""
