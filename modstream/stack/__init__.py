"""The local stack: embedded servers, supervised processes, signing keys, checks of the machine."""
