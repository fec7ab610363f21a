"""Tests: each stands where its module stands in src/taskcodec, and has its name (but for those in test_mirror.py)."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The repository."""
