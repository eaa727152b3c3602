"""Labeled recordings: the data set file, import from a phone, labels."""
