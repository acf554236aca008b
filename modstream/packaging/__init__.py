"""Packages of serverless functions: a version, the code, and the libraries that it needs."""
