"""Symbols of pictures that bring their own network: weights and latents, found by gradients for each picture."""
