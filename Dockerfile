# The images of `server`, `queue` and `worker`: one build, three targets.
#
#   docker build --target server -t server .
#
# Three images rather than one with three entry points, so that each says for itself what it runs, where it listens
# and how it is checked, and holds nothing else. They share every layer but the last, which is the binary.
#
# The same for BuildKit and for the classic builder, hence no cache mounts and no `syntax` line.

# Follows rust-toolchain.toml. Its Debian must not be newer than that of the runtime image: the C library is not ours.
ARG RUST_IMAGE=rust:1.95-bookworm
# Needs bash, for the health check.
ARG RUNTIME_IMAGE=debian:bookworm-slim


# Splits what the build reads into what changes seldom (`manifests`, with stubs for sources) and the rest (`sources`).
# Copies between stages are cached by content, so this stage may run as often as it likes.
FROM ${RUNTIME_IMAGE} AS plan
COPY . /plan/sources/
RUN set -eu; \
    cd /plan/sources; \
    mkdir /plan/manifests; \
    cp Cargo.toml Cargo.lock /plan/manifests; \
    find . -mindepth 2 -name Cargo.toml | while read -r manifest; do \
        crate=${manifest%/*}; \
        stub=/plan/manifests/$crate; \
        mkdir -p "$stub/src"; \
        # Without the sections of single tests, benches and so on: cargo would look for their files.
        awk '/^\[/ { skip = /^\[\[/ } !skip' "$manifest" >"$stub/Cargo.toml"; \
        echo '//! Stub.' >"$stub/src/lib.rs"; \
        { echo '//! Stub.'; echo 'fn main() {}'; } >"$stub/src/main.rs"; \
        cp "$stub/Cargo.toml" "$manifest"; \
        [ -d "$crate/src" ] || cp -R "$stub/src" "$crate"; \
    done


FROM ${RUST_IMAGE} AS build
WORKDIR /src
# The dependencies, in a layer that lasts until a manifest or the lock file changes.
COPY --from=plan /plan/manifests/ ./
RUN cargo build --release --locked -p server -p queue -p worker \
    && rm -r crates xtask
# The sources. A copy keeps the times of its files, which are older than the stubs' build: cargo would see no change.
COPY --from=plan /plan/sources/ ./
RUN find crates -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --offline -p server -p queue -p worker


# The classic builder mounts a stage for every copy from it, and the one above is large.
FROM scratch AS binaries
COPY --from=build /src/target/release/server /src/target/release/queue /src/target/release/worker /


# What the three have in common.
FROM ${RUNTIME_IMAGE} AS runtime
LABEL org.opencontainers.image.licenses="MIT OR Apache-2.0"
# A number needs no entry in /etc/passwd, and Kubernetes can see that it is not root.
USER 10001:10001
# Taking nothing new, finishing what is under way. The binaries start no processes, so they can be process 1 themselves.
STOPSIGNAL SIGTERM
# Ready is more than alive: without Redis a container is unhealthy, and it becomes healthy again by itself. The answer
# goes into the check's log (`docker inspect`), where it says what is missing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["bash", "-c", "\
    address=${HEALTH_LISTEN:-$LISTEN}; \
    exec 3<>/dev/tcp/127.0.0.1/${address##*:} || exit 1; \
    printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; \
    IFS= read -rd '' -u 3 answer; \
    echo \"${answer##*$'\\n'}\"; \
    [[ $answer == 'HTTP/1.'[01]' 200 '* ]]"]


# In a container loopback would reach nobody, so these listen on every address, and refuse to start until they are told
# that this is meant: INSECURE=true where nothing but the right people and machines reaches the container.
FROM runtime AS server
LABEL org.opencontainers.image.title="server"
ENV LISTEN=0.0.0.0:3000
EXPOSE 3000
COPY --from=binaries /server /usr/local/bin/
ENTRYPOINT ["server"]


FROM runtime AS queue
LABEL org.opencontainers.image.title="queue"
ENV LISTEN=0.0.0.0:3001
EXPOSE 3001
COPY --from=binaries /queue /usr/local/bin/
ENTRYPOINT ["queue"]


FROM runtime AS worker
LABEL org.opencontainers.image.title="worker"
ENV HEALTH_LISTEN=0.0.0.0:3002
EXPOSE 3002
COPY --from=binaries /worker /usr/local/bin/
ENTRYPOINT ["worker"]
