import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from taskcodec.fitting.closed_form.feature_codec import FeatureCodec


@parametrize_with_checks([FeatureCodec()])
def test_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_in_a_pipeline_and_a_grid():
    x, y = load_digits(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(FeatureCodec(), LogisticRegression(max_iter=200)), {"featurecodec__bits": [20, 80]}, cv=3
    )
    search.fit(x[:600], y[:600])
    assert search.best_params_ == {"featurecodec__bits": 80}
    assert search.score(x[600:], y[600:]) > 0.8


def test_inverse_and_clone():
    x = np.random.default_rng(0).normal(size=(300, 8))
    coder = FeatureCodec(bits=40).fit(x)
    assert np.mean((coder.inverse_transform(coder.transform(x)) - x) ** 2) < 0.02
    assert clone(coder).get_params() == coder.get_params()
    with pytest.raises(ValueError, match="bits"):
        FeatureCodec(bits=-1).fit(x)
