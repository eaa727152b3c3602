"""Fewer bits: weights on a grid, quantized graphs, quantization-aware training."""
