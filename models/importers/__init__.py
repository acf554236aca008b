"""Model files of other libraries, read and turned into versions that can be published."""
