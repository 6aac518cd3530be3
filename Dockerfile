# syntax=docker/dockerfile:1
# The nights in a container: docs/schedule.md says how to run it.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
# Compiles the loop of the LSTM; stays behind in this stage.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
RUN python -m venv /opt/forecast
ENV PATH=/opt/forecast/bin:$PATH
# The libraries alone first: this layer changes only when their versions do.
COPY pyproject.toml constraints.txt ./
RUN python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print("\n".join(p["dependencies"] + p["optional-dependencies"]["schedule"]))' > requirements.txt \
 && pip install --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE hatch_build.py ./
COPY data/sample data/sample
COPY forecast forecast
RUN pip install --no-deps .

FROM ${PYTHON}
# tini reaps what a killed night leaves behind and passes signals on.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 forecast \
 && install --directory --owner forecast --group forecast /home/forecast/home
COPY --from=build /opt/forecast /opt/forecast
ENV PATH=/opt/forecast/bin:$PATH PYTHONUNBUFFERED=1 FORECAST_HOME=/home/forecast/home
USER forecast
WORKDIR /home/forecast/home
VOLUME /home/forecast/home
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5m --timeout=30s --start-period=1h \
    CMD ["python", "-P", "-m", "forecast.scheduling.health", "/home/forecast/home"]
ENTRYPOINT ["tini", "--", "forecast"]
CMD ["schedule", "--foreground"]
