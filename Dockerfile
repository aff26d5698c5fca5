# syntax=docker/dockerfile:1
# One image with every extra; versions come from constraints.txt, as in `make test`.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/parfocal
ENV PATH=/opt/parfocal/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY . .
RUN pip install --constraint constraints.txt setuptools \
 && pip install --constraint constraints.txt --no-build-isolation '.[all]'

FROM python:3.11.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /parfocal --create-home parfocal
COPY --from=build /opt/parfocal /opt/parfocal
ENV PATH=/opt/parfocal/bin:$PATH PYTHONUNBUFFERED=1
USER parfocal
# Holds parfocal.toml and, below data/, the store, index and graph.
WORKDIR /parfocal
VOLUME /parfocal
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["parfocal", "serve"]
