"""Access to the model registry, and the events that announce its changes."""
