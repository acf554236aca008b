"""The gateway over HTTP: the Open Inference Protocol, rows of features, labels and tickets."""
