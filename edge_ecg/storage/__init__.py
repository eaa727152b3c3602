"""Bytes on a disk; knows nothing of ECGs."""
