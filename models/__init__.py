"""Machine-learning models: schema, runtimes, registry, serving, training, importers.

Only this package imports redis, onnxruntime, scikit-learn and River. It does not import Kafka.
"""
