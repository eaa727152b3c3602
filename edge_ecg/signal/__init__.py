"""From samples to beats: the stream that a watch hears. Knows no file and no model."""
