"""Policy rules: one function for each family, numbered on from the formulation's in docs/model.md."""
