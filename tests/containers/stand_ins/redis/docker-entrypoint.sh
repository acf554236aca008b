#!/bin/sh
# The image of Redis listens on all addresses and leaves protection to its users.
if [ "$1" = redis-server ]; then
  shift
  exec redis-server --bind '*' --protected-mode no "$@"
fi
exec "$@"
