"""Simulated signals: a synthetic person, and the faults of a sensor."""
