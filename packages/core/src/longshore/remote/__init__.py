"""What runs on the machines: the supervisor and all it needs, on the standard library of Python 3.8 and later."""
