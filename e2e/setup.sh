#!/usr/bin/env bash
# Prepares what the e2e tests run beside this project's binary: Apache Flume, ZooKeeper and a few small
# Java programs, all kept in a cache. Safe to run at any time and by several test runs at once: what is
# complete is left alone, so a second run downloads nothing and takes a fraction of a second.
#
#   FLUME_E2E_CACHE   where to keep things (default: ~/.cache/flume-e2e)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FLUME_E2E_CACHE:-$HOME/.cache/flume-e2e}

say() { echo "e2e setup: $*" >&2; }

# retry runs a command up to three times: downloads fail for passing reasons.
retry() {
	local attempt
	for attempt in 1 2 3; do
		"$@" && return 0
		say "attempt $attempt of 3 failed: $*"
		sleep $((attempt * 2))
	done
	return 1
}

# digest names a state of input files, so that a changed pom.xml or program renews what was made from it.
digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

# fresh says whether the stamp of a cache folder matches its inputs.
fresh() { [ -f "$1/.stamp" ] && [ "$(cat "$1/.stamp")" = "$2" ]; }

# packages installs Debian packages that are missing. A service that a package brings is not started: the
# tests run the programs themselves, with configurations and ports of their own.
packages() {
	local missing=() name sudo=
	for name in "$@"; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$name")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	say "installing ${missing[*]}"
	retry $sudo apt-get update -q
	retry $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_tools() {
	if ! { command -v java && command -v javac && command -v mvn; } >/dev/null; then
		packages openjdk-17-jdk-headless maven
	fi
	# The clients whose logs and messages the sources read.
	packages rsyslog rsyslog-gnutls rsyslog-openssl bsdutils systemd nginx-light apache2-bin apache2-utils logrotate zstd xz-utils curl openssl
	# A compiler and a client library of Thrift, for clients in another language.
	packages thrift-compiler python3-thrift
	# A key distribution center of Kerberos, a client, and clocks that are wrong.
	packages krb5-kdc krb5-admin-server krb5-user python3-gssapi libfaketime
}

# fetch PROFILE copies the jars of a profile of pom.xml into the cache folder of the same name. It works
# in a folder beside it and renames that into place, so an interrupted run leaves nothing half done.
fetch() {
	local profile=$1 target=$cache/$1 work
	local stamp
	stamp=$(digest "$here/java/pom.xml")
	if fresh "$target" "$stamp"; then
		return
	fi
	say "fetching $profile"
	work=$(mktemp -d "$cache/.$profile.XXXXXX")
	retry mvn -B -q -Dstyle.color=never -f "$here/java/pom.xml" -P"$profile" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work" >&2
	echo "$stamp" >"$work/.stamp"
	rm -rf "$target"
	mv "$work" "$target"
}

# compile builds e2e/java/*.java against the jars of Flume and of Log4j 1.
compile() {
	local target=$cache/classes work
	local stamp
	stamp=$(digest "$here/java/pom.xml" "$here"/java/*.java)
	if fresh "$target" "$stamp"; then
		return
	fi
	say "compiling the Java programs"
	work=$(mktemp -d "$cache/.classes.XXXXXX")
	javac --release 17 -Xlint:all,-path -Werror -proc:none -cp "$cache/flume/*:$cache/log4j1/*" -d "$work" "$here"/java/*.java
	echo "$stamp" >"$work/.stamp"
	rm -rf "$target"
	mv "$work" "$target"
}

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
install_tools
fetch flume
fetch flume19
fetch hadoop
fetch zookeeper
fetch log4j1
fetch log4j2
fetch logback
compile
