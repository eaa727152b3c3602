"""Core ML programs run in NumPy, so that an artefact is checked without a Mac."""
