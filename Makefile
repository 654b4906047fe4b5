# Two commands are all there is to know: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
BUNDLE := bundles/storybook
SERVED := build/served
STORY := 一只可爱的小猫在庭院里玩耍
PROTO := client/framecast/client/v1/video.proto

export GRPC_VERBOSITY ?= ERROR

.PHONY: demo test install prerequisites export check proto clean

demo: prerequisites export
	$(BIN)/framecast serve --repository $(SERVED) --address 127.0.0.1:0 --triton-log build/triton.log -- \
		$(BIN)/framecast generate "$(STORY)" --output out/demo.mp4

# Two at a time: types beside the export, then two files of tests; what starts whole systems, and kills parts of them, comes
# after and alone.
test: prerequisites
	@command -v ffprobe >/dev/null || { echo "make test: ffprobe is missing; install ffmpeg (Debian: apt-get install ffmpeg)"; exit 1; }
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ echo "make test: no browser; install chromium (Debian: apt-get install chromium)"; exit 1; }
	OMP_NUM_THREADS=1 $(MAKE) --no-print-directory -j 2 check export
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/system
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/system

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

export: install
	$(BIN)/framecast export --bundle $(BUNDLE) --output $(SERVED)

install: .venv/installed

prerequisites: install
	@$(BIN)/python -m framecast.triton.prerequisites

# torch comes first and by exact version: a range would take the build with gigabytes of CUDA libraries.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { echo "Framecast needs Python 3.11 or 3.12; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[export,server,otel,kernels,train,bench,tensorrt-rtx,dev]'
	@touch $@

proto: install
	$(BIN)/python -m grpc_tools.protoc -I client --python_out=client --pyi_out=client --grpc_python_out=client $(PROTO)

clean:
	rm -rf build out dist .venv
