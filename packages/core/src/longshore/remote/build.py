"""Starts a build on this computer: ``python -I -S build.py <root>``, with the modules as they are installed.

As in `longshore.remote.start`, but for the package that they are in, which needs more than the standard library.
"""

import os
import sys

if __name__ == "__main__":
    package = type(sys)("longshore")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["longshore"] = package

    from longshore.remote.builder import main

    sys.exit(main(sys.argv[1]))
