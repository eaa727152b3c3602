"""The comparators: encoders, heads and the table of architectures."""
