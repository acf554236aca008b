"""The features of a running stream: definitions, recovery, the workers' copy, verification."""
