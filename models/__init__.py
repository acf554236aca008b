"""Machine-learning models: schemas, cards, runtimes, artifacts, the registry and the shelf."""
