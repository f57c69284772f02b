"""Python reads this at start; conftest.py puts this folder on PYTHONPATH, so that programs started by tests are offline too."""

import nonet

nonet.block()
