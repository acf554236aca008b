"""State on disk: RocksDB behind a small interface, and the folders that it is in."""
