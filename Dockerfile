# One image for every program of Segue: `docker run segue worker`, `docker run segue collector`, …
# The core is compiled (ops/decisions/0107), which needs a C compiler, so the build has the larger image.
FROM python:3.11 AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/segue
ENV PATH=/opt/segue/bin:$PATH
WORKDIR /build
COPY requirements.lock requirements-dev.lock ./
RUN pip install --require-hashes -r requirements.lock
RUN python -m venv /opt/compiler && /opt/compiler/bin/pip install --require-hashes -r requirements-dev.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas schemas
COPY streams streams
COPY consumers consumers
RUN SEGUE_COMPILED=1 /opt/compiler/bin/pip wheel --no-deps --no-build-isolation -w /wheels . \
    && pip install --no-deps /wheels/*.whl

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin segue \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/segue-collector
# A volume that is mounted there takes the owner over.
COPY --from=build /opt/segue /opt/segue
ENV PATH=/opt/segue/bin:$PATH PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["segue"]
CMD ["--help"]
