"""The joiner's entries on disk, in RocksDB: a copy of the changelog with the indices it needs."""
