"""Tests; folders mirror those of src/taskcodec."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the checkout."""
