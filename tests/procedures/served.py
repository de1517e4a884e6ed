"""A small service on a database: what drills start, what incidents restart. Run as a program; SIGTERM ends it."""

import argparse
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--database", required=True)
parser.add_argument("--status", type=int, default=0, help="what /health always answers")
parser.add_argument("--exit", type=int, default=None, help="end at once with this code")
parser.add_argument("--daemon", action="store_true", help="go on in a grandchild, in a session of its own")
parser.add_argument("--pid-file")
parser.add_argument("--note", help="to be found by")
asked = parser.parse_args()
if asked.exit is not None:
    sys.exit("configuration is not to my liking" if asked.exit else 0)
if asked.daemon:
    if os.fork():
        sys.exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if asked.pid_file:
    Path(asked.pid_file).write_text(str(os.getpid()))


COUNT = "SELECT count(*) FROM tokens"


class Handler(BaseHTTPRequestHandler):
    """`/health` counts the rows of the database."""

    def do_GET(self):
        try:
            with sqlite3.connect(f"file:{asked.database}?mode=rw", uri=True) as db:
                body, status = f"{db.execute(COUNT).fetchone()[0]} tokens\n", 200
        except sqlite3.Error as error:
            body, status = f"{error}\n", 500
        self.send_response(asked.status or status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        sys.stderr.write(f"{time.time()} {self.path}\n")


HTTPServer.allow_reuse_address = True
HTTPServer(("127.0.0.1", asked.port), Handler).serve_forever()
