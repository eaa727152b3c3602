"""Bundles: reading, verifying, packing and signing."""
