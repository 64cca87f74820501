#!/usr/bin/env bash
# Twenty plugins from a registry, beside wkg, oras where it is installed, and the bare transfer. Called by ./dev bench
# registry, with the program to measure, a component, wkg and, if it is in no PATH, oras.
set -euo pipefail
program=$(realpath "$1")
component=$(realpath "$2")
wkg=$(realpath "$3")
oras=${4:-$(command -v oras || true)}
rounds=${ROUNDS:-5}
COUNT=20 PORT=18095
folder=$(mktemp -d)
finish() {
  kill "${registry-}" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
export HOME=$folder DOCKER_CONFIG=$folder/docker

cat >"$folder/registry.yml" <<TEXT
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $folder/data } }
http: { addr: '127.0.0.1:$PORT' }
TEXT
docker-registry serve "$folder/registry.yml" >"$folder/log" 2>&1 &
registry=$!
until curl -fs "http://127.0.0.1:$PORT/v2/" >/dev/null; do sleep 0.1; done

# Each is another component: a custom section of its own stands behind it.
mkdir "$folder/files" "$folder/remote" "$folder/trusted" "$folder/local"
"$program" -C "$folder" plugin keygen team >/dev/null 2>&1
for folder_of in remote trusted local; do
  printf 'FROM rengine/busybox:local\n' >"$folder/$folder_of/Dockerfile"
  printf '[app]\nname = "bench-registry"\n' >"$folder/$folder_of/plugins.toml"
done
for ((i = 0; i < COUNT; i++)); do
  file=$folder/files/p$i.wasm
  cp "$component" "$file"
  # A custom section: its number, its size, the length of its name, the name, and one byte.
  printf '%b' "\\x00\\x03\\x01n\\x$(printf %02x "$i")" >>"$file"
  "$program" plugin push "$file" "127.0.0.1:$PORT/bench/p$i:1.0.0" --sign "$folder/team.key" --quiet >/dev/null
  printf '[plugins.p%s]\nsource = "oci://127.0.0.1:%s/bench/p%s:1.0.0"\n' "$i" "$PORT" "$i" >>"$folder/remote/plugins.toml"
  printf '[plugins.p%s]\npath = "%s"\n' "$i" "$file" >>"$folder/local/plugins.toml"
done
tail -n +3 "$folder/remote/plugins.toml" >>"$folder/trusted/plugins.toml"
printf '[trust]\nkeys = ["../team.pub"]\n' >>"$folder/trusted/plugins.toml"
digests=$(cd "$folder/data" && for ((i = 0; i < COUNT; i++)); do
  sha256sum "$folder/files/p$i.wasm" | cut -d' ' -f1
done)

middle() { # times in microseconds, one a line; prints the median in milliseconds
  sort -n | awk '{ a[NR] = $1 } END { printf "%.1f", (a[int((NR + 1) / 2)] + a[int(NR / 2 + 1)]) / 2000 }'
}
# How long a command takes; what goes wrong ends the measurement.
took() { # command
  local start=${EPOCHREALTIME/[.,]/}
  eval "$1" >"$folder/said" 2>&1 || { cat "$folder/said" >&2; return 1; }
  echo $((${EPOCHREALTIME/[.,]/} - start))
}
# Runs a command some times, each after its preparation; says the median in milliseconds.
median() { # preparation, command
  local i
  for ((i = 0; i < rounds; i++)); do
    eval "$1"
    took "$2"
  done | middle
}
rengine() { printf 'XDG_CACHE_HOME="%s" "%s" -C "%s"' "$folder/cache-$1" "$program" "$folder/$1"; }

bytes=$(stat -c %s "$component")
echo "$COUNT plugins of $bytes bytes, medians of $rounds, in milliseconds; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "rengine, nothing there:             $(median "rm -rf $folder/cache-remote $folder/remote/plugins.lock" "$(rengine remote) plugin fetch")"
echo "rengine, plugins.lock there:        $(median "rm -rf $folder/cache-remote" "$(rengine remote) plugin fetch")"
echo "rengine, all there:                 $(median : "$(rengine remote) plugin fetch")"
pull="" copy=""
for ((i = 0; i < COUNT; i++)); do
  pull+="\"$wkg\" oci pull 127.0.0.1:$PORT/bench/p$i:1.0.0 --insecure 127.0.0.1:$PORT --output $folder/pulled$i.wasm & "
  copy+="\"$oras\" pull --plain-http --no-tty -o $folder/oras$i 127.0.0.1:$PORT/bench/p$i:1.0.0 & "
done
echo "wkg oci pull, all at once:          $(median : "$pull wait")"
if [ -n "$oras" ]; then
  echo "oras pull, all at once:             $(median : "$copy wait")"
fi
get="curl -fsZ -H 'Accept: application/vnd.oci.image.manifest.v1+json'"
i=0
for digest in $digests; do
  for path in "manifests/1.0.0" "blobs/sha256:$digest"; do
    get+=" http://127.0.0.1:$PORT/v2/bench/p$i/$path -o $folder/curl-$i-${path%%/*}"
  done
  i=$((i + 1))
done
echo "curl, the same requests at once:    $(median : "$get")"
# All ways compile once, and then wait until files count as settled, for receipts.
for of in local remote trusted; do took "$(rengine "$of") plan" >/dev/null; done
sleep 4
for of in local remote trusted; do took "$(rengine "$of") plan" >/dev/null; done
# One after the other, so that all meet the same machine.
for ((i = 0; i < rounds * 8; i++)); do
  took "$(rengine local) plan" >>"$folder/local.times"
  for of in remote trusted; do
    took "$(rengine "$of") plan --locked --offline" >>"$folder/$of.times"
  done
done
files=$(middle <"$folder/local.times") store=$(middle <"$folder/remote.times") trusted=$(middle <"$folder/trusted.times")
more() { awk "BEGIN { printf \"%.1f\", $1 - $files }"; }
echo "plan, $COUNT plugins that are files:   $files"
echo "plan, $COUNT plugins of a full store:  $store, which adds $(more "$store")"
echo "the same with signatures verified: $trusted, which adds $(more "$trusted")"
echo "load at the end $(cut -d' ' -f1-3 /proc/loadavg)"
