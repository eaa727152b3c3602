"""How good it is and why: scores, baselines, occlusion, drift."""
