"""The forms of an artefact: Core ML packages and the portable layers."""
