"""Files on disk, independent of ECGs."""
