"""Trains the two models of the pipeline `approval` on made-up loans, and saves them.

`python examples/pipelines/train.py` writes risk.joblib and risk-large.joblib.
"""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.default_rng(1)
size = 4000
loans = pd.DataFrame(
    {
        "ratio": random.gamma(2.0, 1.5, size),
        "age": random.uniform(18, 80, size),
        "zone": random.choice(["EU", "NA", "other"], size),
    }
)
logit = loans["ratio"] - 0.03 * loans["age"] + (loans["zone"] == "other") - 1.5
is_lost = random.uniform(size=size) < 1 / (1 + np.exp(-logit))

quick = make_pipeline(StandardScaler(), LogisticRegression())
quick.fit(loans[["ratio", "age"]], is_lost)
joblib.dump(quick, "risk.joblib")

careful = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["zone"]), remainder="passthrough"),
    RandomForestClassifier(50, max_depth=6, random_state=1),
)
careful.fit(loans, is_lost)
joblib.dump(careful, "risk-large.joblib")
print("wrote risk.joblib and risk-large.joblib")
