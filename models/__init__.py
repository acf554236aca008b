"""Machine-learning models: schema, runtimes, registry, serving, training, importers.

Only this room imports redis, onnxruntime, scikit-learn and River; it knows nothing of Kafka.
"""
