"""Verification of delivery: compare the requests sent with the records that left the stream."""
