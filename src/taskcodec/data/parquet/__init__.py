"""Parquet files as sources: of vectors, and of pictures."""
