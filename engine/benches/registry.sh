#!/usr/bin/env bash
# Twenty plugins from a registry, beside wkg and the bare transfer. Called by ./dev bench registry, with the
# program to measure and a component.
set -euo pipefail
program=$(realpath "$1")
component=$(realpath "$2")
wkg=$(realpath "$3")
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
mkdir "$folder/files" "$folder/remote" "$folder/local" "$folder/none"
for folder_of in remote local none; do
  printf 'FROM rengine/busybox:local\n' >"$folder/$folder_of/Dockerfile"
  printf '[app]\nname = "bench-registry"\n' >"$folder/$folder_of/plugins.toml"
done
for ((i = 0; i < COUNT; i++)); do
  file=$folder/files/p$i.wasm
  cp "$component" "$file"
  # A custom section: its number, its size, the length of its name, the name, and one byte.
  printf '%b' "\\x00\\x03\\x01n\\x$(printf %02x "$i")" >>"$file"
  "$program" plugin push "$file" "127.0.0.1:$PORT/bench/p$i:1.0.0" --quiet >/dev/null
  printf '[plugins.p%s]\nsource = "oci://127.0.0.1:%s/bench/p%s:1.0.0"\n' "$i" "$PORT" "$i" >>"$folder/remote/plugins.toml"
  printf '[plugins.p%s]\npath = "%s"\n' "$i" "$file" >>"$folder/local/plugins.toml"
done
digests=$(cd "$folder/data" && for ((i = 0; i < COUNT; i++)); do
  sha256sum "$folder/files/p$i.wasm" | cut -d' ' -f1
done)

now() { date +%s%N; }
# Runs a command some times, each after its preparation; says the median in milliseconds.
median() { # preparation, command
  local times=() start i
  for ((i = 0; i < rounds; i++)); do
    eval "$1"
    start=$(now)
    eval "$2" >/dev/null 2>&1
    times+=($((($(now) - start) / 10000)))
  done
  printf '%s\n' "${times[@]}" | sort -n | awk '{ a[NR] = $1 } END { printf "%.1f\n", a[int((NR + 1) / 2)] / 100 }'
}
cache() { printf 'XDG_CACHE_HOME=%s' "$folder/cache-$1"; }
rengine() { printf '%s "%s" -C "%s"' "$(cache "$1")" "$program" "$folder/$1"; }

echo "$COUNT plugins of $(stat -c %s "$component") bytes, medians of $rounds, in milliseconds"
echo "resolve and fetch, nothing there:   $(median "rm -rf $folder/cache-remote $folder/remote/plugins.lock" "$(rengine remote) plugin fetch")"
echo "fetch, plugins.lock there:          $(median "rm -rf $folder/cache-remote" "$(rengine remote) plugin fetch")"
echo "fetch, all there:                   $(median : "$(rengine remote) plugin fetch")"
pull=""
for ((i = 0; i < COUNT; i++)); do
  pull+="$wkg oci pull 127.0.0.1:$PORT/bench/p$i:1.0.0 --insecure 127.0.0.1:$PORT --output $folder/pulled.wasm & "
done
echo "wkg oci pull, all at once:          $(median : "$pull wait")"
get="curl -fsZ"
i=0
for digest in $digests; do
  get+=" http://127.0.0.1:$PORT/v2/bench/p$i/manifests/1.0.0 http://127.0.0.1:$PORT/v2/bench/p$i/blobs/sha256:$digest"
  i=$((i + 1))
done
echo "curl, the same requests at once:    $(median : "$get")"
eval "$(rengine local) plan" >/dev/null 2>&1
eval "$(rengine remote) plan" >/dev/null 2>&1
sleep 4 # Until files count as settled, for receipts.
eval "$(rengine local) plan" >/dev/null 2>&1
eval "$(rengine remote) plan" >/dev/null 2>&1
rounds=$((rounds * 4))
echo "plan, $COUNT plugins that are files:  $(median : "$(rengine local) plan")"
echo "plan, $COUNT plugins of the store:    $(median : "$(rengine remote) plan --locked --offline")"
