#!/usr/bin/env bash
# The steps of the containers. The same words do the same on a machine without Docker.
#
#   steps.sh install EXTRAS   Framecast with these extras, from $FRAMECAST_SOURCE into $FRAMECAST_PACKAGES
#   steps.sh tensorrt         Python bindings for the TensorRT of this machine, into $FRAMECAST_PACKAGES
#   steps.sh export           the bundle as a served repository, unless it is one already
#   steps.sh triton           Triton on that repository
#   steps.sh gateway          the gateway in front of Triton
#   steps.sh serve            both in one, with the embedded Triton
#   steps.sh health           exit code 0 when the server at $FRAMECAST_ADDRESS serves
#
# What follows the words export, triton, gateway, serve and health goes to the command: steps.sh gateway --grace 60.
# Settings are environment variables; these are their defaults.
set -euo pipefail

source_folder=${FRAMECAST_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
packages=${FRAMECAST_PACKAGES:-}                       # empty: Python's own
bundle=${FRAMECAST_BUNDLE:-$source_folder/bundles/storybook}
repository=${FRAMECAST_REPOSITORY:-build/served}
cache=${FRAMECAST_ENGINE_CACHE:-build/engines}
engine=${FRAMECAST_ENGINE:-onnxruntime}                # or tensorrt, on a machine with a GPU
precision=${FRAMECAST_PRECISION:-fp32}
flavour=${FRAMECAST_FLAVOUR:-}                         # Triton's --model-config-name; then the same as engine
listen=${FRAMECAST_LISTEN:-127.0.0.1:50051}            # of the gateway
metrics=${FRAMECAST_METRICS:-127.0.0.1:9464}           # of the gateway
triton_address=${TRITON_ADDRESS:-127.0.0.1:8001}
triton_host=${TRITON_HOST:-127.0.0.1}                  # that Triton listens on
triton_port=${TRITON_PORT:-8001}
triton_metrics_port=${TRITON_METRICS_PORT:-8002}
address=${FRAMECAST_ADDRESS:-127.0.0.1:50051}          # that health asks
traces=${OTEL_EXPORTER_OTLP_ENDPOINT:-}
case "${OTEL_TRACES_EXPORTER:-}${OTEL_SDK_DISABLED:-}" in none* | *true) traces="" ;; esac
server=""                                              # Triton's process
stopping=""                                            # yes once a signal has come

framecast() { exec python3 -m framecast.client "$@"; }

pip_install() {
  local into=()
  [ -z "$packages" ] || into=(--target "$packages" --upgrade)
  python3 -m pip install --no-cache-dir "${into[@]}" "$@"
}

install() {
  local wanted=("${source_folder}[$1]") numpy
  # By exact version: a range would take the newest torch, and exports are checked with this one.
  case ",$1," in *,export,*) wanted+=(torch==2.13.0) ;; esac
  # Triton's python backend is built against the numpy of its image.
  numpy=$(python3 -c 'import numpy; print(numpy.__version__)' 2>/dev/null) && wanted+=("numpy==$numpy")
  pip_install "${wanted[@]}"
}

tensorrt() {
  if python3 -c 'import tensorrt' 2>/dev/null; then return; fi
  local library version cuda
  library=$(ldconfig -p | sed -n 's/.*libnvinfer\.so\.[0-9]* .*=> //p' | head -n 1)
  if [ -z "$library" ]; then
    echo "steps.sh: this machine has no TensorRT (libnvinfer.so); use the Triton image" >&2
    exit 1
  fi
  version=$(basename "$(readlink -f "$library")")
  version=${version#libnvinfer.so.}
  cuda=${CUDA_VERSION:-13}
  pip_install "tensorrt_cu${cuda%%.*}_bindings==$version.*"
  # The bindings come without the name that programs import.
  echo 'from tensorrt_bindings import *; from tensorrt_bindings import __version__' > "${packages:-.}/tensorrt.py"
}

export_bundle() {
  local options=(--bundle "$bundle" --output "$repository" --engine "$engine" --precision "$precision" --cache "$cache")
  [ -z "$flavour" ] || options+=(--native)
  framecast export "${options[@]}" "$@"
}

triton() {
  local regions="steps-triton-$$-$RANDOM$RANDOM-" options
  options=(
    "--model-repository=$repository"
    --disable-auto-complete-config                     # the configs are complete
    --strict-readiness=true                            # ready means that every model is
    --allow-http=false                                 # gRPC and metrics are all that is used
    "--grpc-address=$triton_host" "--grpc-port=$triton_port"
    "--metrics-address=$triton_host" "--metrics-port=$triton_metrics_port"
    "--backend-config=python,shm-default-byte-size=16777216"
    "--backend-config=python,shm-region-prefix-name=$regions"
    # Nobody knows this word: models, shared memory, logging and tracing stay as they were started.
    "--grpc-restricted-protocol=model-repository,shared-memory,logging,trace:admin=$(head -c 24 /dev/urandom | base64 | tr -d '+/=')"
    --exit-timeout-secs=30
  )
  [ -z "$flavour" ] || options+=("--model-config-name=$flavour")
  [ -z "$traces" ] || options+=(
    --trace-config=mode=opentelemetry --trace-config=level=TIMESTAMPS --trace-config=rate=0 --trace-config=count=-1
    "--trace-config=opentelemetry,url=${traces%/}/v1/traces"
    "--trace-config=opentelemetry,resource=service.name=framecast-triton"
  )
  trap 'stopping=yes; [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true' TERM INT HUP
  tritonserver "${options[@]}" "$@" &
  server=$!
  [ -z "$stopping" ] || kill -TERM "$server"
  until_a_stage_dies
  local code=0
  wait "$server" || code=$?
  while alive "$server"; do code=0; wait "$server" || code=$?; done  # a signal interrupts a wait
  rm -f "/dev/shm/$regions"*                           # a killed Triton leaves its shared memory
  exit "$code"
}

# Triton starts no stage again that has died, and still calls itself ready. It is better that it ends: whoever started
# this starts it again, and videos go on where they were.
until_a_stage_dies() {
  local known="" process
  while [ -z "$stopping" ] && alive "$server"; do
    for process in $known; do
      if ! alive "$process" && [ -z "$stopping" ] && alive "$server"; then
        pause 3                                        # one that cannot load a model ends by itself, and says why
        if ! alive "$server"; then return; fi
        echo "steps.sh: a stage has died (process $process), and with it ends Triton" >&2
        kill -KILL "$server"
        return
      fi
    done
    known=$(stages || true)
    pause 1
  done
}

pause() { sleep "$1" & wait $! || true; }  # which a signal cuts short

stages() {  # processes of the Python backend
  local status
  for status in $(grep -ls "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status); do
    case "$(head -n 1 "$status" 2>/dev/null)" in *triton_python_*) basename "${status%/status}" ;; esac
  done
}

alive() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }

gateway() {
  framecast serve --triton-address "$triton_address" --address "$listen" --metrics-address "$metrics" "$@"
}

serve() {
  framecast serve --repository "$repository" --address "$listen" --metrics-address "$metrics" "$@"
}

health() {
  framecast health --address "$address" "$@"
}

case "${1:-}" in
  install) install "${2:?steps.sh install EXTRAS, for example gateway,otel}" ;;
  export) shift; export_bundle "$@" ;;
  triton | gateway | serve | health) word=$1; shift; "$word" "$@" ;;
  tensorrt) tensorrt ;;
  *)
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
