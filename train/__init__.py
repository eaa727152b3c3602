"""Train a personal comparator from labelled recordings."""
