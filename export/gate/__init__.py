"""The gate: every artifact decides as the model it came from, or is not shipped."""
