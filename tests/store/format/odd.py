"""What no field should hold."""

ODD = [None, True, -1, 0, 7, 2**39, 2**70, 10**400, 1.5, "", "x", "\ud800", [], [1], {}, {"a": 1}]
