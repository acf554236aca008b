"""Events into other events: predict, join late labels, learn, evaluate.

Handlers are pure; the servers they meet are wired in the roof.
"""
