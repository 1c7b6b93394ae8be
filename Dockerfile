# syntax=docker/dockerfile:1
# One image for every role: `docker build -t crossdock .` (BuildKit). Nothing secret is in it or goes into it: keys and
# tokens come from the environment or the data directory.
ARG RUST=1.95
FROM rust:${RUST}-slim-bookworm AS build
# The sources are only looked at; what is built stays in the cache, and the binary is copied out of it.
RUN --mount=type=bind,target=/src \
    --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    cd /src \
    && CARGO_TARGET_DIR=/target cargo build --release --locked --bin crossdock \
    && install -D -m 0755 /target/release/crossdock /out/bin/crossdock \
    && strip /out/bin/crossdock \
    && install -d -m 0700 /out/data

# glibc and libgcc are all that the binary needs: TLS roots and time zones are built in, SQLite too.
FROM debian:bookworm-slim
COPY --from=build /out/bin/crossdock /usr/local/bin/crossdock
COPY --from=build --chown=10001:10001 /out/data /data
USER 10001:10001
ENV CROSSDOCK_LISTEN=0.0.0.0:8080 \
    CROSSDOCK_DATA_DIR=/data \
    CROSSDOCK_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/crossdock"]
CMD ["serve"]
