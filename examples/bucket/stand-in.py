"""A server here that speaks S3, with 500 objects (or as many as you say), one broken. Prints where it is, and stays."""

import logging
import sys
import threading

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
cloud = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
cloud.create_bucket(Bucket="readings")
for number in range(1, int(sys.argv[1] if sys.argv[1:] else 500) + 1):
    values = [10 + number / 100 + hour % 24 for hour in range(48)]
    lines = ["hour,celsius", *(f"{hour},{value}" for hour, value in enumerate(values))]
    if number == 13:
        lines[20] = "19,broken"
    cloud.put_object(Bucket="readings", Key=f"2026/station-{number:03}.csv", Body="\n".join(lines).encode())
print(f"http://{host}:{port}", flush=True)
threading.Event().wait()
