package tlsconf

import (
	"os"
	"strings"
)

// Flume's names for the values that hold for all components: a system property
// of the JVM and, where that is unset, a variable of the environment.
var globals = []struct{ property, variable string }{
	{"javax.net.ssl.keyStore", envKeystore},
	{"javax.net.ssl.keyStorePassword", envKeystorePassword},
	{"javax.net.ssl.keyStoreType", envKeystoreType},
	{"javax.net.ssl.trustStore", envTruststore},
	{"javax.net.ssl.trustStorePassword", envTruststorePassword},
	{"javax.net.ssl.trustStoreType", envTruststoreType},
	{"flume.ssl.include.protocols", envIncludeProtocols},
	{"flume.ssl.exclude.protocols", envExcludeProtocols},
	{"flume.ssl.include.cipherSuites", envIncludeSuites},
	{"flume.ssl.exclude.cipherSuites", envExcludeSuites},
}

const (
	envKeystore           = "FLUME_SSL_KEYSTORE_PATH"
	envKeystorePassword   = "FLUME_SSL_KEYSTORE_PASSWORD"
	envKeystoreType       = "FLUME_SSL_KEYSTORE_TYPE"
	envTruststore         = "FLUME_SSL_TRUSTSTORE_PATH"
	envTruststorePassword = "FLUME_SSL_TRUSTSTORE_PASSWORD"
	envTruststoreType     = "FLUME_SSL_TRUSTSTORE_TYPE"
	envIncludeProtocols   = "FLUME_SSL_INCLUDE_PROTOCOLS"
	envExcludeProtocols   = "FLUME_SSL_EXCLUDE_PROTOCOLS"
	envIncludeSuites      = "FLUME_SSL_INCLUDE_CIPHERSUITES"
	envExcludeSuites      = "FLUME_SSL_EXCLUDE_CIPHERSUITES"
)

// Environment returns the variables that say what these system properties (the
// -D options of a command line) say. A launcher sets them before components are
// checked: system properties win over the environment, as in Flume.
func Environment(system map[string]string) map[string]string {
	out := map[string]string{}
	for _, g := range globals {
		if v, ok := system[g.property]; ok {
			out[g.variable] = v
		}
	}
	return out
}

// withGlobals fills what is not set from the environment. A component's value
// replaces the global one, it is not merged with it.
func (c Config) withGlobals() Config {
	fill(&c.Keystore, envKeystore)
	fill(&c.KeystorePassword, envKeystorePassword)
	fill(&c.KeystoreType, envKeystoreType)
	fill(&c.Truststore, envTruststore)
	fill(&c.TruststorePassword, envTruststorePassword)
	fill(&c.TruststoreType, envTruststoreType)
	c.KeystoreType = strings.ToUpper(c.KeystoreType)
	c.TruststoreType = strings.ToUpper(c.TruststoreType)
	c.Suites = c.Suites.withGlobals()
	return c
}

func fill(value *string, variable string) {
	if *value == "" {
		*value = os.Getenv(variable)
	}
}

func fillList(value *[]string, variable string) {
	if len(*value) > 0 {
		return
	}
	for name := range strings.SplitSeq(os.Getenv(variable), ",") {
		if name = strings.TrimSpace(name); name != "" {
			*value = append(*value, name)
		}
	}
}
