"""Lineage: OpenLineage events of training, publications, promotions and rollbacks.

Only `client.py` imports the OpenLineage client, an extra, when events are enabled.
"""
