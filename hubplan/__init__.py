"""hubplan: where to process critical minerals, and how to move them when some passages are closed."""

__version__ = "0.1.0"
