"""What a device opens."""
