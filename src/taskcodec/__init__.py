"""taskcodec: compress data for the models that will read it."""
