"""The decision, as algebra."""
