#!/bin/sh
# Reads what uv, pip or npm said when it failed, and writes one sentence: the
# cause, and what to do. Where the words name no cause that is known here, it
# writes nothing and ends non-zero. The first cause that they name counts, so
# the narrower one comes first.
said=$(cat)

# The first line in which one of these stands, else nothing.
line() { printf '%s\n' "$said" | grep -Em1 "$1"; }
says() { line "$1" >/dev/null; }
# The same line, without what stands around its own words.
words() {
    line "$1" | sed 's/^ *//; s/^\(cause\|error\|hint\|ERROR\|npm error\):* *//
        s/^Because //; s/{[^}]*}//g; s/ and you require.*//; s/ only has wheels.*//; s/[. ]*$//'
}
# The first address that is named, without its path.
address() {
    found=$(line 'https?://' | sed 's|.*\(https*://[A-Za-z0-9.:_-]*\).*|\1|')
    printf '%s' "${found:-another machine}"
}
because() {
    printf '%s\n' "$1"
    exit 0
}
again="then run the same command again"

if says 'No space left on device|ENOSPC|Disk quota exceeded|EDQUOT'; then
    because "The disk is full: free some space, $again."
elif says 'Read-only file system|EROFS'; then
    because "The project cannot be changed here ($(words 'Read-only file system|EROFS')): copy it to a place that is not read-only, $again."
elif says '[Pp]ermission denied|EACCES|EPERM|Operation not permitted'; then
    because "Access was refused ($(words '[Pp]ermission denied|EACCES|EPERM|Operation not permitted')): change the owner or the permissions of this file or folder, $again."
elif says '^error: (The lockfile at .uv\.lock. needs to be updated|Unable to find lockfile)'; then
    because "uv.lock is missing, or does not fit pyproject.toml: do 'uv lock' or '.uv/bin/uv lock' to write it anew, $again."
elif says 'Network connectivity is disabled'; then
    because "Something has not been downloaded yet, and UV_OFFLINE or uv.toml forbids downloads: allow them, $again."
elif says 'invalid peer certificate|CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET)|CERT_HAS_EXPIRED'; then
    because "The certificate of $(address) is not trusted here: let SSL_CERT_FILE name the file with your network's certificates, $again."
elif says 'proxy authorization required|407 Proxy Authentication|[Pp]roxy [Aa]uthentication [Rr]equired'; then
    because "The proxy asks who you are: put your name and password into HTTPS_PROXY, $again."
elif says 'tunnel error|ProxyError|[Cc]annot connect to proxy'; then
    because "The proxy could not be reached: check HTTPS_PROXY and the network connection, $again."
elif says 'dns error|Name or service not known|nodename nor servname|[Nn]ame resolution|NameResolutionError|ENOTFOUND|EAI_AGAIN'; then
    because "The address of $(address) could not be looked up: check the network connection, $again."
elif says 'Hash mismatch|DO NOT MATCH THE HASHES|EINTEGRITY'; then
    because "A download is not what was promised, since its checksum differs, and was not used: run the same command again; if it happens again, choose another mirror."
elif says 'end of file before message length|error (decoding|reading a body)|IncompleteRead|IncompleteMessage|[Cc]onnection (reset|broken|closed)|ECONNRESET|unexpected end of file|Premature close'; then
    because "A download from $(address) broke off: run the same command again; nothing is lost."
elif says '(client|server) error \(?[45][0-9][0-9]|returned an? [45][0-9][0-9]|valid authentication credentials|E401|E403|E5[0-9][0-9]'; then
    because "$(address) refused a download ($(words '(client|server) error \(?[45][0-9][0-9]|returned an? [45][0-9][0-9]|valid authentication credentials|E401|E403|E5[0-9][0-9]')): check the address of your mirror, your name and your password, $again."
elif says 'tcp connect error|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|operation timed out|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|Network is unreachable'; then
    because "$(address) could not be reached: check the network connection or the proxy, $again; nothing is lost."
elif says 'there is no version of|was not found in the package registry|No matching distribution found|error 404 |ETARGET'; then
    because "A package is not where it is looked for ($(words 'there is no version of|was not found in the package registry|No matching distribution found|error 404 |ETARGET')): choose a mirror that has it, $again."
elif says "You're (on|using) .*, but .* only has wheels"; then
    because "$(words "You're (on|using) .*, but .* only has wheels") does not exist there: use Linux, Windows or a Mac with an Apple processor, and Python 3.12 to 3.14."
elif says "a source distribution or wheel for the current platform|no wheels? with a matching|only has wheels"; then
    because "A package of uv.lock does not exist for this kind of machine ($(words 'for the current platform|no wheels? with a matching|only has wheels')): use one of another kind."
elif says 'No interpreter found|No download found for request'; then
    because "Python 3.12 was not found, and could not be downloaded: install Python 3.12 or newer (from python.org, or with 'pyenv install 3.12'), $again."
fi
exit 1
