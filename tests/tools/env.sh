#!/bin/sh
# Create the project's own environment, .venv, or update it to match uv.lock.
# Every target of the Makefile calls this script first. If there is nothing to
# do, the script takes only a moment and writes nothing. If it fails, it says
# why in one sentence, and its exit status is not zero.
set -u
unset CDPATH IFS
cd "${0%/*}/../.." || exit 1

# Restart this script with only those environment variables that clean.py lets
# through. This also drops the functions and options of the user's shell.
if [ "${1-}" != clean ]; then
    names=$(command awk '
        /^ALLOWED = """/ { inside = 1; next }
        /^"""/ { inside = 0 }
        inside {
            gsub(/\*/, "[A-Z0-9_]*")
            for (i = 1; i <= NF; i++) allowed = allowed "|" $i
        }
        END {
            for (name in ENVIRON)
                if (toupper(name) ~ "^(" substr(allowed, 2) ")$") print name
        }' tests/tools/clean.py) || exit 1
    theirs=${XDG_CONFIG_HOME:-${HOME-}/.config}
    uv_toml=${UV_CONFIG_FILE:-$theirs/uv/uv.toml}
    set --
    for name in $names; do eval "set -- \"\$@\" \"$name=\$$name\""; done
    exec env -i "$@" sh tests/tools/env.sh clean "$uv_toml" "$theirs"
fi
uv_toml=$2
theirs=$3

say() { printf '%s\n' "$*" >&2; }

# Say why a command failed. If the cause is unknown, print its last lines.
fail() {
    if ! printf '%s\n' "$log" | sh tests/tools/why.sh >&2; then
        printf '%s\n' "$log" | tail -n 20 >&2
        say "$1"
    fi
    exit 1
}

minor() { "$1" -I -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null; }
new_enough() { "$1" sync --check --help >/dev/null 2>&1; }

# If the home folder or the temporary folder can't be written to, use another.
{ [ -d "${HOME-}" ] && mkdir -p "$HOME/.cache" && [ -w "$HOME/.cache" ]; } 2>/dev/null ||
    export HOME="$PWD/.uv/home"
[ -w "${XDG_CACHE_HOME:-$HOME}" ] || unset XDG_CACHE_HOME
[ -w "${TMPDIR:-/tmp}" ] || unset TMPDIR
# Get the same messages everywhere, and keep Pythons that uv fetches off the
# PATH.
export LC_ALL=C UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_INSTALL_BIN=0

# Use the uv on the PATH, or our own in .uv/.
uv=uv
new_enough $uv || uv=.uv/bin/uv

# Use the Python version that .python-version asks for, or else any version
# that is new enough. If there is none, uv downloads it (see below).
find_python() {
    python=$($uv python find --no-config --no-cache 2>/dev/null) && return
    export UV_PYTHON='>=3.12'
    python=$($uv python find --no-config --no-cache 2>/dev/null) && return
    unset UV_PYTHON
    return 1
}

# Use only uv.lock, whatever mirrors the user has set.
locked() {
    (
        unset UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL
        unset UV_FIND_LINKS UV_CONFIG_FILE
        "$uv" --no-config "$@" --locked --quiet
    )
}

# Keep what `uv sync --extra cuda` has added for a GPU.
cuda=
for it in .venv/lib/python3*/site-packages/jax_cuda13_plugin; do
    [ ! -d "$it" ] || cuda='--extra cuda'
done

if new_enough $uv && find_python &&
    locked sync $cuda --check --offline --no-cache >/dev/null 2>&1; then
    exit 0
fi

# If we get here, something is missing, and we write files.
log=$({ mkdir -p .uv && : >.uv/uv.toml; } 2>&1) ||
    fail "The folder .uv could not be created; the lines above say why."

# Keep only those of uv's settings that say where packages come from.
[ -r "$uv_toml" ] && awk '
    /^[ \t]*\[/ { if (!open) keep = /^[ \t]*\[\[[ \t]*index[ \t]*\]\]/; top = keep }
    !top && /^[ \t]*[a-z-]+[ \t]*=/ {
        keep = /^[ \t]*(index|index-url|extra-index-url|find-links|no-index|index-strategy|keyring-provider|allow-insecure-host|native-tls|system-certs|python-install-mirror|cache-dir|link-mode|offline|https?-proxy|no-proxy)[ \t]*=/
    }
    keep' "$uv_toml" >.uv/uv.toml
export UV_CONFIG_FILE=.uv/uv.toml

# Do the same for pip, so that uv uses pip's mirrors unless told otherwise.
settings=$(
    for file in /etc/pip.conf "$HOME/.pip/pip.conf" "$theirs/pip/pip.conf" "${PIP_CONFIG_FILE-}"; do
        [ -f "$file" ] && [ -r "$file" ] && cat "$file"
    done | awk '
        /^[ \t]*(index-url|find-links|extra-index-url|trusted-host|proxy|cert|client-cert)[ \t]*[=:][ \t]*[^ \t]/ {
            name = $0; sub(/[ \t]*[=:].*/, "", name); gsub(/[ \t]/, "", name)
            value = $0; sub(/^[^=:]*[=:][ \t]*/, "", value)
            gsub(/-/, "_", name); found[toupper(name)] = value
        }
        END { for (name in found) print "PIP_" name "=" found[name] }'
)
IFS='
'
for setting in $settings; do
    eval "[ -n \"\${${setting%%=*}-}\" ]" || export "$setting"
done
unset IFS
export PIP_CONFIG_FILE=/dev/null
mirror=$(grep -E '^[ \t]*(\[\[[ \t]*index|index|index-url|extra-index-url|find-links|no-index)' .uv/uv.toml)
mirror=$mirror${UV_DEFAULT_INDEX-}${UV_INDEX-}${UV_INDEX_URL-}${UV_EXTRA_INDEX_URL-}${UV_FIND_LINKS-}
if [ -z "$mirror" ] && [ -n "${PIP_INDEX_URL-}" ]; then
    mirror=$PIP_INDEX_URL
    export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    [ -n "${UV_INSECURE_HOST-}" ] || export UV_INSECURE_HOST="${PIP_TRUSTED_HOST-}"
fi
[ -n "${SSL_CERT_FILE-}" ] || [ -z "${PIP_CERT-}" ] || export SSL_CERT_FILE="$PIP_CERT"
[ -n "${ALL_PROXY-}" ] || [ -z "${PIP_PROXY-}" ] || export ALL_PROXY="$PIP_PROXY"

if ! new_enough $uv; then
    base=
    for name in python3 python3.14 python3.13 python3.12 python; do
        # Because of .python-version in this folder, pyenv may refuse to start
        # some of these programs, so take the first that really starts.
        if "$name" -I -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
            base=$name
            break
        fi
    done
    if [ -z "$base" ]; then
        say "No Python was found: install Python 3.12 or newer from python.org (or uv from docs.astral.sh/uv), then run the same command again."
        exit 1
    fi
    say "Installing uv, which sets up the environment (only once) ..."
    log=$("$base" -I -m venv .uv 2>&1) || fail "$base has no working venv module: install it (on Debian and Ubuntu: apt install python3-venv), or install uv from docs.astral.sh/uv, then run the same command again."
    log=$(.uv/bin/python -I -m pip install -vv --disable-pip-version-check --upgrade uv 2>&1) || fail "uv could not be installed, and the lines above say why: install it in one of the other ways that docs.astral.sh/uv describes, then run the same command again."
    uv=.uv/bin/uv
fi

if ! find_python; then
    say "Python 3.12 was not found here, so uv is downloading it (only once) ..."
    log=$($uv python install 2>&1) && find_python ||
        fail "Python 3.12 could not be downloaded: install Python 3.12 or newer (from python.org, or with 'pyenv install 3.12'), then run the same command again."
fi

[ -d .venv ] || say "Setting up the environment in .venv (only once; this takes a few minutes) ..."
if [ "$(minor .venv/bin/python)" != "$(minor "$python")" ]; then
    # In a relocatable environment, the programs still start after the folder
    # has been moved.
    log=$($uv venv --quiet --clear --relocatable --prompt intuitive-ai --python "$python" .venv 2>&1) || fail "The environment could not be created; the lines above say why."
fi
if [ -n "$mirror" ]; then
    # uv.lock contains addresses on pypi.org, so `uv sync` would not use the
    # mirror. The checksums are the same for the mirror's files.
    log=$(locked export $cuda --no-emit-project --no-header --no-annotate 2>&1) &&
        log=$(printf '%s\n' "$log" | $uv pip sync --quiet --python .venv/bin/python --require-hashes - 2>&1)
else
    log=$($uv sync $cuda --locked --quiet 2>&1)
fi || fail "The environment could not be created; the lines above say why."
