"""Turn a trained comparator into files that a device can run."""
