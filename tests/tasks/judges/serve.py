"""A judge on loopback in a process of its own, so that its threads do not take the client's time.

python -m tests.tasks.judges.serve LATENCY_S     # prints its address, serves until its input ends
"""

import sys

from tests.models.endpoints.endpoint import Endpoint
from tests.tasks.judges.faults import verdict

if __name__ == "__main__":
    with Endpoint(chat=verdict, latency_s=float(sys.argv[1])) as server:
        print(server.url, flush=True)
        sys.stdin.read()
