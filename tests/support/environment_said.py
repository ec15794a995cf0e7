"""`python -m tests.support.environment_said`: the variables that it was started with, as JSON."""

from __future__ import annotations

import json
import os
import sys

if __name__ == "__main__":
    sys.stdout.write(json.dumps(dict(os.environ)))
