"""Predictors that pass gradients to the pictures that they see: those of others, frozen, and small ones to train."""
