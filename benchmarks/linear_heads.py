"""Closed-form linear maps before the quantizer, for `taskcodec benchmark`: what whitening by views and emphasis change.

    cd benchmarks
    taskcodec benchmark SET... --fit-on IMAGES --codecs linear_heads:codecs --rates 128,256,512,900 --out OUT

All share companding, dead zone and tables refitted to what is coded. "no views" is the Karhunen-Loeve map; "views"
whitens by the covariance within augmented views of the images of --fit-on (the linear-Gaussian information bottleneck);
"emphasis" gives the leading axes a finer step and leaves the weakest out. Zero-shot they are fitted on --fit-on, else
on the set's own training images.
"""

from taskcodec.evaluation.peers.own import OwnCodec
from taskcodec.fitting import fit

RATES = (128.0, 256.0, 512.0, 900.0)


def head(views, emphasis):
    def make(fit_set, bits):
        return fit(fit_set.features, bits=bits, views=fit_set.views if views else None, emphasis=emphasis)

    return make


def codecs(regime):
    kinds = {
        "no views": head(False, 0.0),
        "no views, emphasis": head(False, 0.25),
        "views": head(True, 0.0),
        "views, emphasis": head(True, 0.25),
    }
    return [OwnCodec(name, bits, make, refit=True) for name, make in kinds.items() for bits in RATES]
