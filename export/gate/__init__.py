"""The gate: every artefact decides as the model it came from, or is not shipped."""
