# The image of every process: the API, migrations, and workers of their own (`spotplan expire`, `spotplan webhooks deliver`).
FROM python:3.11-slim-bookworm AS page
WORKDIR /spotplan
COPY web web
RUN python web/build.py

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
RUN useradd --create-home spotplan
WORKDIR /spotplan
# Before the source: what is locked changes less often. Wheels only, for there is no compiler here.
COPY requirements.lock .
RUN python -m venv /venv && pip install -q --require-hashes --only-binary :all: -r requirements.lock
COPY . .
COPY --from=page /spotplan/web/dist web/dist
RUN pip install -q --no-deps --no-build-isolation --no-index -e .
USER spotplan
# As the user who serves: the compiled planner is kept in its home, and no start has to wait for it.
RUN python -c "from planner.warm import warm; warm()"
EXPOSE 8000
# A list, so that SIGTERM reaches the server and not a shell.
CMD ["spotplan", "serve", "--host", "0.0.0.0", "--port", "8000"]
