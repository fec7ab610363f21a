"""A place in memory that counts what is asked of it, and that may die at any moment."""

from taskcodec.store.backend import open_blobs


class Died(BaseException):
    """As a kill: nothing catches it."""


class Watched:
    """Blobs in a dictionary. After `puts` of them, the next one, and all that follow, die."""

    def __init__(self, held=None, puts=None):
        self.name, self.held, self.left, self.asked = "watched", {} if held is None else held, puts, []

    def get(self, key):
        self.asked.append(("get", key))
        return self.held.get(key)

    def get_range(self, key, start, length):
        self.asked.append(("range", key))
        data = self.held.get(key)
        return None if data is None else data[start:][:length]

    def put(self, key, data):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Died
        self.asked.append(("put", key))
        self.held[key] = data

    def sizes(self):
        self.asked.append(("list", ""))
        return {key: len(data) for key, data in self.held.items()}

    def delete(self, key):
        self.asked.append(("delete", key))
        del self.held[key]

    def close(self): ...


def watch(monkeypatch):
    """Have writers and readers take a `Watched` as a place."""
    for module in ("writer", "reader"):
        monkeypatch.setattr(f"taskcodec.store.{module}.open_blobs", _opened)


def _opened(place):
    return place if isinstance(place, Watched) else open_blobs(place)
