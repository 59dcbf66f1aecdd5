"""Starts the supervisor of this computer: ``python -I -S start.py <folder>``.

It uses the modules as they are installed, so that they need not be compiled again, but not the package that they are
in: that one needs more than the standard library, and more time. Whoever starts it waits for the first process only,
which ends before anything is imported.
"""

import os
import sys

if __name__ == "__main__" and not os.fork():
    package = type(sys)("longshore")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["longshore"] = package

    from longshore.remote.supervisor import serve

    serve(sys.argv[1])
