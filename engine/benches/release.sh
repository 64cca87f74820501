#!/usr/bin/env bash
# A release of one service beside docker-compose, with a client that never stops asking. Called by
# ./dev bench release, with the program to measure.
set -euo pipefail
program=$1
rounds=${ROUNDS:-5}
folder=$(mktemp -d)
finish() {
  kill "${asking-}" 2>/dev/null || true
  "$program" -C "$folder/rengine" down --images --quiet >/dev/null 2>&1 || true
  (cd "$folder/compose" && docker-compose down --rmi local >/dev/null 2>&1) || true
  rm -rf "$folder"
}
trap finish EXIT
RENGINE=18090 COMPOSE=18091

mkdir "$folder/rengine" "$folder/compose"
for name in rengine compose; do
  printf 'FROM rengine/busybox:local\nRUN mkdir /www && echo hello >/www/index.html\n%s\n' \
    'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]' >"$folder/$name/Dockerfile"
  printf 'plugins.toml\ncompose.yaml\n' >"$folder/$name/.dockerignore"
done
release() { # number: what runs changes, and nothing is built
  cat >"$folder/rengine/plugins.toml" <<TEXT
[app]
name = "bench-release"
ports = ["$RENGINE:8080"]
env = { NUMBER = "$1" }
stop-timeout = "1s"
health = { http = "/", interval = "50ms" }
TEXT
  cat >"$folder/compose/compose.yaml" <<TEXT
version: "3"
services:
  web:
    build: .
    ports: ["$COMPOSE:8080"]
    environment: { NUMBER: "$1" }
    stop_grace_period: 1s
TEXT
}

# Asks a port with a new connection each time, until it is told to stop; then says how often nothing
# was answered, and for how long at most.
cat >"$folder/ask.py" <<'TEXT'
import signal, socket, sys, time
going, failed, asked, longest, since = True, 0, 0, 0.0, None
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
while going:
    asked += 1
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as stream:
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            fine = b" 200 " in stream.recv(64)
    except OSError:
        fine = False
    now = time.monotonic()
    if fine:
        since = None
    else:
        failed += 1
        since = since or now
        longest = max(longest, now - since)
    time.sleep(0.002)
print(f"{failed} of {asked} failed, {longest * 1000:.0f} ms without an answer")
TEXT

ask() { python3 "$folder/ask.py" "$1" >"$folder/asked" & asking=$!; }
asked() { kill "$asking"; wait "$asking" || true; cat "$folder/asked"; }
now() { date +%s%N; }
since() { echo $((($(now) - $1) / 1000000)); }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

release 0
"$program" -C "$folder/rengine" deploy --quiet >/dev/null
(cd "$folder/compose" && docker-compose up -d --build >/dev/null 2>&1)

times() { # what makes the numbers differ, what is done once each time, and what is measured
  local number begun took=()
  for number in $(seq "$rounds"); do
    release "$1$number"
    "$2" >/dev/null 2>&1
    begun=$(now)
    "$3" >/dev/null 2>&1 || { echo "$3 failed" >&2; exit 1; }
    took+=("$(since "$begun")")
  done
  printf '%s\n' "${took[@]}" | median
}
deploy() { "$program" -C "$folder/rengine" deploy --json >"$folder/events"; }
compose() { (cd "$folder/compose" && docker-compose up -d); }
back() { "$program" -C "$folder/rengine" rollback; }
lock() { "$program" -C "$folder/rengine" lock hold -m bench && "$program" -C "$folder/rengine" lock release; }

ask "$RENGINE"
printf 'rengine deploy: %s ms in the middle; ' "$(times a true deploy)"
asked
python3 - "$folder/events" <<'TEXT'
import json, sys
names, lines = {}, []
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event.get("event") == "step-started":
        names[event["step"]] = event["operation"]
    if event.get("event") == "step-finished":
        took = event["ms"]
        lines.append(f"{names[event['step']]} {took} ms")
print("  its steps, the last time: " + ", ".join(lines))
TEXT
ask "$COMPOSE"
printf 'docker-compose up -d: %s ms; ' "$(times b true compose)"
asked
ask "$RENGINE"
printf 'rengine rollback: %s ms; ' "$(times c deploy back)"
asked
printf 'lock hold and lock release, two commands: %s ms\n' "$(times d true lock)"
begun=$(now)
docker version >/dev/null && docker version >/dev/null
printf 'docker version, twice: %s ms\n' "$(since "$begun")"
