#!/usr/bin/env bash
# Whole deploys: rengine beside docker-compose, the docker command, and the bare calls of the daemon, in
# one run. Prints a line for each: the median of several times in ms, and their range. At the end, the most
# memory that any rengine took.
#
# RENGINE is the program; BUILDKIT is a `docker` whose build can use BuildKit; RUNS is how often each is done,
# CONTEXT_RUNS how often those of large contexts, which take minutes where the builder is the classic one. The apps
# are called bench-deploy-… ONLY is a pattern of what is to be measured.
set -euo pipefail

rengine=${RENGINE:-target/release/rengine}
rengine=$(realpath "$rengine")
runs=${RUNS:-5}
# A `docker` that needs no buildx for BuildKit, as that of Debian.
buildkit=${BUILDKIT:-/usr/bin/docker}
folder=$(mktemp -d)
export COMPOSE_PROJECT_NAME=bench-deploy-theirs
# Of its own, so that what is remembered is from here.
export XDG_CACHE_HOME=$folder/cache
: >"$folder/memory"

say() { printf '%s\n' "$*"; }

# What the runs before left.
clear_all() {
  local project ids
  for project in bench-deploy-ours bench-deploy-theirs bench-deploy-client; do
    ids=$(docker ps -aq --filter "label=com.docker.compose.project=$project")
    # shellcheck disable=SC2086 # They are several.
    [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
    docker network ls -q --filter "label=com.docker.compose.project=$project" | xargs -r docker network rm >/dev/null
    docker images --format '{{.Repository}}:{{.Tag}}' "$project*" | xargs -r docker rmi -f >/dev/null
  done
}
finish() {
  clear_all
  rm -rf "$folder"
}
trap finish EXIT

# Times a command in ms; rengine's memory is noted.
timed() {
  local start end
  start=$EPOCHREALTIME
  case $1 in
    "$rengine") /usr/bin/time -a -o "$folder/memory" -f %M "$@" >"$folder/log" 2>&1 ;;
    *) "$@" >"$folder/log" 2>&1 ;;
  esac || { cat "$folder/log" >&2; return 1; }
  end=$EPOCHREALTIME
  awk -v a="$start" -v b="$end" 'BEGIN { printf "%.0f\n", (b - a) * 1000 }'
}

# The median of the numbers, and from where to where they go.
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%d (%d to %d)", v[int((NR + 1) / 2)], v[1], v[NR] }'; }

# Does each of several things, one after the other, as often as is asked for: pairs of NAME:FUNCTION. A
# function PREPARE_FUNCTION goes before it, and is not timed.
compare() {
  local title=$1 pair round
  [[ $title =~ ${ONLY:-.} ]] || return 0
  shift
  for pair in "$@"; do : >"$folder/times-${pair#*:}"; done
  for round in $(seq "$runs"); do
    export ROUND=$round
    for pair in "$@"; do
      "prepare_${pair#*:}"
      "${pair#*:}" >>"$folder/times-${pair#*:}"
    done
  done
  for pair in "$@"; do
    printf '%-28s %-34s %s ms\n' "$title" "${pair%%:*}" "$(median <"$folder/times-${pair#*:}")"
  done
}

say "load: $(cut -d ' ' -f 1-3 /proc/loadavg), $(nproc) processors, $(docker version --format '{{.Server.Version}}')"

# --- One service that is built.
mkdir "$folder/one"
cat >"$folder/one/compose.yaml" <<'TEXT'
version: "3.4"
services:
  web:
    build: .
    ports: ["8080"]
    stop_grace_period: 0s
TEXT
cat >"$folder/one/Dockerfile" <<'TEXT'
FROM rengine/busybox:local
COPY page /www/index.html
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
TEXT
ours() { timed "$rengine" -C "$1" --project-name bench-deploy-ours deploy --quiet; }
theirs() { (cd "$1" && timed docker-compose up -d --build); }
fresh() { clear_all && date +%N >"$folder/one/page"; }
prepare_first_ours() { fresh; }
first_ours() { ours "$folder/one"; }
prepare_first_classic() { fresh; }
first_classic() { DOCKER_BUILDKIT=0 ours "$folder/one"; }
prepare_first_theirs() { fresh; }
first_theirs() { theirs "$folder/one"; }
prepare_first_client() { fresh; }
client_calls() {
  docker network create --label com.docker.compose.project=bench-deploy-client bench-deploy-client
  docker build -q -t bench-deploy-client:1 "$folder/one"
  docker create --name bench-deploy-client.candidate --network bench-deploy-client -p 8080 \
    --label com.docker.compose.project=bench-deploy-client bench-deploy-client:1
  docker start bench-deploy-client.candidate
  docker rename bench-deploy-client.candidate bench-deploy-client
  docker tag bench-deploy-client:1 bench-deploy-client
}
first_client() { timed client_calls; }
compare 'first deploy' rengine:first_ours 'rengine, classic builder':first_classic \
  docker-compose:first_theirs 'docker, the same calls':first_client

# --- Ten services.
ten() {
  local number
  printf 'version: "3.4"\nservices:\n'
  for number in 0 1 2 3 4 5 6 7 8 9; do
    printf '  s%s:\n    image: rengine/busybox:local\n    command: httpd -f -p 8080\n' "$number"
    printf '    ports: ["8080"]\n    stop_grace_period: 0s\n    environment: { WORD: "%s" }\n' \
      "$([ "$number" = 5 ] && printf '%s' "${1-}")"
  done
}
mkdir "$folder/ten"
up_theirs() { (cd "$folder/ten" && timed docker-compose up -d); }
prepare_ten_ours() { clear_all && ten >"$folder/ten/compose.yaml"; }
ten_ours() { ours "$folder/ten"; }
prepare_ten_theirs() { prepare_ten_ours; }
ten_theirs() { up_theirs; }
prepare_ten_client() { clear_all; }
ten_calls() {
  docker network create --label com.docker.compose.project=bench-deploy-client bench-deploy-client
  local number
  for number in 0 1 2 3 4 5 6 7 8 9; do
    docker run -d --network bench-deploy-client -p 8080 --name "bench-deploy-client-$number" \
      --label com.docker.compose.project=bench-deploy-client rengine/busybox:local httpd -f -p 8080
  done
}
ten_client() { timed ten_calls; }
compare 'ten services, from nothing' rengine:ten_ours docker-compose:ten_theirs 'docker, one by one':ten_client

prepare_ten_ours
ten_ours >/dev/null
ten_theirs >/dev/null
prepare_none() { :; }
prepare_noop_ours() { :; }
noop_ours() { ours "$folder/ten"; }
prepare_noop_theirs() { :; }
noop_theirs() { up_theirs; }
# The questions that a deploy asks of the daemon, over one connection, and nothing else.
prepare_bare() { :; }
bare() {
  local api=http://daemon/v1.41 app='%7B%22label%22%3A%5B%22dev.rengine.app%3Dbench-deploy-ours%22%5D%7D'
  local records='%7B%22label%22%3A%5B%22dev.rengine.app%3Dbench-deploy-ours%22%2C%22dev.rengine.record%22%5D%7D'
  timed curl -sS --unix-socket /var/run/docker.sock \
    "http://daemon/version" "$api/info" \
    "$api/containers/json?all=true&filters=$app" "$api/containers/json" "$api/images/json?filters=$app" \
    "$api/images/rengine/busybox:local/json" "$api/networks" "$api/volumes?filters=$records"
}
compare 'ten services, no change' rengine:noop_ours docker-compose:noop_theirs 'the bare calls, by curl':bare

prepare_one_ours() { ten "$ROUND-$RANDOM" >"$folder/ten/compose.yaml"; }
one_ours() { ours "$folder/ten"; }
prepare_one_theirs() { prepare_one_ours; }
one_theirs() { up_theirs; }
compare 'one of ten changed' rengine:one_ours docker-compose:one_theirs

# --- Contexts. Each round has its own first file, so that no builder has it already.
context() {
  mkdir "$1"
  cp "$folder/one/compose.yaml" "$1/"
  printf 'FROM rengine/busybox:local\nCOPY first /\nCMD ["httpd", "-f", "-p", "8080"]\n' >"$1/Dockerfile"
}
context "$folder/many"
python3 - "$folder/many" <<'TEXT'
import os, sys
for number in range(1000):
    folder = os.path.join(sys.argv[1], f"folder-{number}")
    os.mkdir(folder)
    for file in range(100):
        with open(os.path.join(folder, f"file-{file}.txt"), "w") as out:
            out.write(f"{number} {file} " + "x" * 90)
TEXT
context "$folder/large"
head -c 1G /dev/urandom >"$folder/large/data"
for kind in many large; do
  eval "
  prepare_${kind}_ours() { clear_all && date +%N >$folder/$kind/first; }
  ${kind}_ours() { ours $folder/$kind; }
  prepare_${kind}_classic() { prepare_${kind}_ours; }
  ${kind}_classic() { DOCKER_BUILDKIT=0 ours $folder/$kind; }
  prepare_${kind}_theirs() { prepare_${kind}_ours; }
  ${kind}_theirs() { theirs $folder/$kind; }
  prepare_${kind}_client() { prepare_${kind}_ours; }
  ${kind}_client() { timed docker build -q -t bench-deploy-client $folder/$kind; }
  prepare_${kind}_buildkit() { prepare_${kind}_ours; }
  ${kind}_buildkit() { DOCKER_BUILDKIT=1 timed $buildkit build -q -t bench-deploy-client $folder/$kind; }
  prepare_${kind}_again() { :; }
  ${kind}_again() { ours $folder/$kind; }
  "
done
runs=${CONTEXT_RUNS:-1}
# What is known of files counts once they have been as they are for a while.
sleep 4
compare '100,000 files' rengine:many_ours 'rengine, nothing to do':many_again 'rengine, classic builder':many_classic \
  docker-compose:many_theirs 'docker build alone':many_client 'docker build alone, BuildKit':many_buildkit
compare '1 GB' rengine:large_ours 'rengine, nothing to do':large_again 'rengine, classic builder':large_classic \
  docker-compose:large_theirs 'docker build alone':large_client 'docker build alone, BuildKit':large_buildkit

# All of it in the image: once, and again when one file is another.
for kind in many large; do
  printf 'FROM rengine/busybox:local\nCOPY . /all\nCMD ["httpd", "-f", "-p", "8080"]\n' >"$folder/$kind/Dockerfile"
done
for title in '100,000 files, all copied' '100,000 copied, one changed'; do
  compare "$title" rengine:many_ours 'docker build alone, BuildKit':many_buildkit
done
compare '1 GB, all copied' rengine:large_ours 'docker build alone, BuildKit':large_buildkit

say "most memory of a rengine: $(sort -n "$folder/memory" | tail -n 1 | awk '{ printf "%.0f MB", $1 * 1024 / 1e6 }')"
say "load: $(cut -d ' ' -f 1-3 /proc/loadavg)"
