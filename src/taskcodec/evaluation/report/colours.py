"""Colours and markers that all plots share."""

# Okabe and Ito's palette: told apart with any colour vision, and in grey by the markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F7F7F")
MARKERS = "osD^vP*Xhd<>"
