"""Symbols of pictures, searched for under the frozen tables, with gradients of the synthesis and of the rate."""
