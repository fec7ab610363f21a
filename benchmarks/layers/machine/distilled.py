"""Detection whose truth is what the detector says of the picture as it was: any photograph will do, without boxes."""

from taskcodec.distortions.tasks import Detection
from taskcodec.symbol_choice.pictures.overfitted.unchanged import unchanged


class DistilledDetection(Detection):
    """Every position is to say what it said: see `taskcodec.symbol_choice.pictures.overfitted.unchanged`."""

    def loss(self, pictures, truth):
        """(n,)"""
        return unchanged("detection", self.predictor, truth.pictures)(pictures)
