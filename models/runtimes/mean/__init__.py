"""The runtime of means: versions that answer with the mean of other versions, packed into one."""
