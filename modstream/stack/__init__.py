"""The local stack: embedded servers, supervised processes, signing keys, machine checks."""
