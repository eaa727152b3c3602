"""From beats to evidence and a decision: graphs, references, novelty and votes. Knows no file format."""
