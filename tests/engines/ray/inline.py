"""Stands where Ray would: what is remote is done here and now."""

from itertools import count

_made = count()


class Reference:
    def __init__(self, value):
        self.value, self._number = value, next(_made)  # not id(): that of a reference that is gone comes again

    def hex(self):
        return str(self._number)


class Function:
    def __init__(self, function):
        self.function = function

    def options(self, **_):
        return self

    def remote(self, *arguments):
        return Reference(self.function(*(each.value if isinstance(each, Reference) else each for each in arguments)))


class Inline:
    def put(self, value):
        return Reference(value)

    def get(self, reference):
        return reference.value

    def remote(self, function):
        return Function(function)
