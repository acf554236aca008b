"""The proof of delivery: what was sent, what was seen on the way, what stands in the end."""
