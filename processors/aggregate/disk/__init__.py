"""The topic of features on disk: a copy in RocksDB, and what aggregator and workers read of it."""
