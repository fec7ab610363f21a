"""What is told to workers, small enough to be sent to each: how they open the source and load the backbone."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from taskcodec.codec import Codec
from taskcodec.data.sources import Source, open_source
from taskcodec.engines.encode.decide import Decision
from taskcodec.engines.encode.learned import through, through_unless_features
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import labelled
from taskcodec.errors import SourceError
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.spec import BackboneSpec


@dataclass(frozen=True, eq=False)
class Opening:
    """How to open a source again.

    Attributes:
        given: its name; or itself, where it lies in memory.
        truncated, labels: as in the options of the encode.
        codec: whose analysis vectors go through, or None.
        recorded: the backbone of the store that vectors are appended to, or None.
        descriptor: of the source, by which another one is told.
        folder: that names are relative to.
    """

    given: Any
    truncated: str
    labels: str | None
    codec: Codec | None
    recorded: BackboneSpec | None
    descriptor: dict[str, Any]
    folder: str

    def __call__(self) -> Source:
        """The source. Raises what opening it does, and SourceError where another one lies there."""
        with suppress(OSError):  # elsewhere names are those of the whole cluster
            os.chdir(self.folder)
        opened = open_source(self.given, self.truncated) if isinstance(self.given, str) else self.given
        source, _ = labelled(opened, self.labels)
        if source.descriptor() != self.descriptor:
            raise SourceError(
                f"{source.name}: another source for a worker than for the command: name what every worker sees alike"
            )
        if self.recorded is not None:
            return through_unless_features(source, self.recorded)
        return through(source, self.codec)


def opening_of(given: Any, decision: Decision) -> Opening:
    """How a worker opens the source of a decision."""
    asked = decision.request
    options, found = asked.options, decision.found
    appended = found if options.append and asked.codec is None else None
    return Opening(
        given,
        options.truncated,
        options.labels,
        asked.codec if asked.codec is not None and asked.codec.g_a is not None else None,
        None if appended is None else appended.codec.backbone,
        asked.source.descriptor(),
        os.getcwd(),
    )


@dataclass(frozen=True, eq=False)
class Looking:
    """How to load a backbone again.

    Attributes:
        own: the backbone, where it was given itself.
        spec: of what it is, or of what lies below the networks.
        networks: of the learned codec that it is the analysis of, or None.
        name: of that analysis.
        device: where it is to run.
    """

    own: BackboneLike | None
    spec: BackboneSpec | None
    networks: Networks | None
    name: str
    device: str

    def __call__(self) -> BackboneLike:
        """The backbone. Raises BackboneError where it cannot be had here."""
        if self.own is not None:
            return self.own
        from taskcodec.transforms.backbones import load_backbone_for
        from taskcodec.transforms.backbones.load import analysis_of

        if self.networks is not None:
            return analysis_of(self.networks, self.spec, self.name, self.device)
        assert self.spec is not None
        return load_backbone_for(self.spec, self.device)


def looking_of(decision: Decision, device: str) -> Looking | None:
    """How a worker loads the backbone of a decision, on a device; None where there is none."""
    backbone, options, codec = decision.backbone, decision.request.options, decision.request.codec
    if backbone is None:
        return None
    own = options.own_backbone
    if own is not None or decision.found is not None or codec is None or codec.networks is None or codec.g_a is None:
        return looking_for(backbone, own, device)
    return Looking(None, codec.backbone, codec.networks, options.analysis_name, device)


def looking_for(backbone: BackboneLike, own: BackboneLike | None, device: str) -> Looking:
    """How a worker loads a backbone; `own` is the same, where it was given itself."""
    return Looking(own, None if own is not None else backbone.spec, None, "", device)
