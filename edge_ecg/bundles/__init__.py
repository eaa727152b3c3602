"""Bundles: reading, verifying, packing and signing what a device opens."""
