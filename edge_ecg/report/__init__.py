"""Measurements as pages and tables."""
