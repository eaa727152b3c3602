"""Core ML programs run in NumPy, so that an artifact is checked without a Mac."""
