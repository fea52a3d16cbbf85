#!/bin/sh
# Makes the stores of the tests with a JDK's keytool and openssl. What is there
# already is replaced.
set -eu
cd "$(dirname "$0")"
rm -f -- *.jks *.p12 *.pem *.jceks
pw=changeit
tool() { keytool "$@" -storepass $pw -noprompt 2>/dev/null; }
days="-validity 36500"

# An authority, and from it a certificate for a client.
tool -genkeypair -alias ca -keyalg EC -groupname secp256r1 $days -dname CN=ca -ext bc:c -keystore ca.p12 -storetype PKCS12
tool -genkeypair -alias client -keyalg EC -groupname secp256r1 $days -dname CN=client -keystore client.p12 -storetype PKCS12
tool -certreq -alias client -keystore client.p12 | tool -gencert -alias ca -keystore ca.p12 $days -rfc >client-cert.tmp
tool -exportcert -alias ca -keystore ca.p12 -rfc >ca.pem
tool -importcert -alias ca -file ca.pem -keystore client.p12
tool -importcert -alias client -file client-cert.tmp -keystore client.p12
openssl pkcs12 -in client.p12 -nodes -passin pass:$pw -out client.pem 2>/dev/null

# Those who are trusted.
tool -importcert -alias ca -file ca.pem -keystore trust.jks -storetype JKS
tool -importcert -alias ca -file ca.pem -keystore trust.p12 -storetype PKCS12

# The server, signed by itself: the same key in every form.
tool -genkeypair -alias server -keyalg EC -groupname secp256r1 $days -dname CN=localhost -ext san=dns:localhost,ip:127.0.0.1 \
	-keystore server.p12 -storetype PKCS12
tool -importkeystore -srckeystore server.p12 -srcstorepass $pw -destkeystore server.jks -deststoretype JKS -deststorepass $pw
tool -importkeystore -srckeystore server.p12 -srcstorepass $pw -destkeystore server.jceks -deststoretype JCEKS -deststorepass $pw
tool -exportcert -alias server -keystore server.p12 -rfc >server-cert.pem
openssl pkcs12 -in server.p12 -nodes -nocerts -passin pass:$pw -out server-key.pem 2>/dev/null
cat server-cert.pem server-key.pem >server.pem

# Another key of the same name, for what happens when a store is replaced.
tool -genkeypair -alias server -keyalg EC -groupname secp256r1 $days -dname CN=second -ext san=dns:localhost,ip:127.0.0.1 \
	-keystore second.p12 -storetype PKCS12
rm -f -- *.tmp ca.p12
