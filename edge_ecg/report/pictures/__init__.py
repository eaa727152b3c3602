"""The pictures of the report: each an SVG for the page, and its description in words."""
