"""The forms of an artifact: Core ML packages and the portable layers."""
