# syntax=docker/dockerfile:1
# Holdfast in a container: a server, a command, or a node of a Ray cluster (docs/deploy.md).
#
#   docker build --tag holdfast:0.1.0 .                                 for CPUs
#   docker build --tag holdfast:0.1.0-cuda --build-arg DEVICE=cuda .    for NVIDIA GPUs
#
# EXTRAS are the optional parts of pyproject.toml: --build-arg EXTRAS=postgres,onnx,transformers
ARG PYTHON=3.12
ARG DEVICE=cpu

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY constraints.txt .
RUN pip install --no-cache-dir --constraint constraints.txt hatchling
COPY pyproject.toml README.md LICENSE ./
COPY platform/holdfast platform/holdfast
COPY serving/holdfast_serving serving/holdfast_serving
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:${PYTHON}-slim AS cpu
ENV TORCH_INDEX=https://download.pytorch.org/whl/cpu

# CUDA comes with PyTorch's own wheels, and the driver with NVIDIA's container runtime.
FROM python:${PYTHON}-slim AS cuda
ENV TORCH_INDEX=https://pypi.org/simple \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM ${DEVICE}
ARG EXTRAS=postgres
# Whoever is process 1 inherits orphans; a server would take the end of one for the end of its Ray. KubeRay's own
# probes need wget.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home holdfast \
    && install --directory --owner holdfast /var/cache/holdfast
# Without its dependencies, of which PyTorch's index has other versions; they come with Holdfast.
RUN --mount=type=bind,source=constraints.txt,target=/tmp/constraints.txt \
    pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" --constraint /tmp/constraints.txt torch
# Not in an environment of its own: KubeRay starts Ray by a login shell, which forgets the PATH of this image.
RUN --mount=type=bind,source=constraints.txt,target=/tmp/constraints.txt \
    --mount=type=bind,from=wheel,source=/wheels,target=/tmp/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /tmp/wheels/*.whl)[$EXTRAS]"
ENV PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    RAY_USAGE_STATS_ENABLED=0 \
    HOLDFAST_CACHE=/var/cache/holdfast
# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
WORKDIR /home/holdfast
EXPOSE 8000
ENTRYPOINT ["tini", "--", "holdfast"]
CMD ["--help"]
