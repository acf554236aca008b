"""The schema of models and versions: cards, specs, artifacts, input features, columns."""
