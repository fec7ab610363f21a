"""On what a codec was fitted that is measured: its regime."""

AS_IS = "as is"
"""Nothing to fit before."""
ZERO_SHOT = "zero-shot"
"""Fitted on other images."""
FITTED = "fitted"
"""Fitted, without labels, on the set's own training samples."""
REGIMES = (ZERO_SHOT, FITTED)
"""Those that a user chooses from."""
RAW = "float32"
"""The name of the codec that leaves features as they are."""
