#!/bin/sh
# Unpacks what a borrowed GPU machine with torch and transformers lacks into one folder, to be put on its PYTHONPATH:
# bench/gpu-packages.sh [FOLDER]. Needs a network; the machine that gets the folder needs none.
set -eu
folder=${1:-build/gpu-packages}
"${PYTHON:-python3}" -m pip install --quiet --upgrade --target "$folder" --no-deps --no-compile --only-binary=:all: \
    --python-version 3.12 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    'diffusers>=0.42,<0.43' 'huggingface-hub>=1.32,<2' 'safetensors>=0.8' \
    nvidia-ml-py importlib-metadata zipp pillow 'onnxscript>=0.7.2,<0.8' 'onnx_ir>=1.0' ml_dtypes
du -sh "$folder"
