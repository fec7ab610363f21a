"""Backbones: pretrained analysis transforms from images to features."""

from taskcodec.transforms.backbones.base import Backbone
from taskcodec.transforms.backbones.load import load_backbone, load_backbone_for
from taskcodec.transforms.spec import DEFAULT, BackboneSpec

__all__ = ["DEFAULT", "Backbone", "BackboneSpec", "load_backbone", "load_backbone_for"]
