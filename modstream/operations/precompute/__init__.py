"""Precomputation of whole tables: each row is sent once, and has one prediction."""
