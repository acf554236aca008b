"""Online learning from feedback, and when to publish or retrain."""
