"""The record of every training: what was trained on what, with which code, and what it reached."""
