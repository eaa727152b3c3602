"""Signals that nobody recorded: a synthetic person, and the faults of a sensor."""
