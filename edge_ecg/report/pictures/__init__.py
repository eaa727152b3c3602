"""The pictures of the report: each an SVG for the page, and in words what is seen in it."""
