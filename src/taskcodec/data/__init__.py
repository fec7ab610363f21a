"""Sources of data: image folders, lists, shards, feature arrays, and their labels."""

from taskcodec.data.labels import read_labels
from taskcodec.data.sources import FeatureSource, ImageSource, Item, Source, open_source

__all__ = ["FeatureSource", "ImageSource", "Item", "Source", "open_source", "read_labels"]
