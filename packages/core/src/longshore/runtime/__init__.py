"""Doing it: the loop, the journal, the cache, and all other threads, files and sockets."""
