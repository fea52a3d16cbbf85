package http

import (
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/property"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		severity property.Severity
		want     string
	}{
		"unknown handler":   {[]string{"handler = com.example.Mine"}, property.Error, "Java classes cannot be loaded"},
		"mistyped handler":  {[]string{"handler = jsno"}, property.Error, `did you mean "json"?`},
		"other's property":  {[]string{"handler.maxBlobLength = 5"}, property.Warning, "has no effect with handler = json"},
		"spaces":            {[]string{"handler = " + legacyBlobClass, "handler.mandatoryParameters = a, b"}, property.Warning, "belong to the parameter's name"},
		"empty bind":        {[]string{"bind = "}, property.Error, "is empty"},
		"jetty's":           {[]string{"ServerConnector.acceptQueueSize = 5"}, property.Advice, "means nothing here"},
		"jetty's pool":      {[]string{"QueuedThreadPool.maxThreads = 5"}, property.Advice, "means nothing here"},
		"jetty's number":    {[]string{"ServerConnector.idleTimeout = soon"}, property.Error, "not a whole number"},
		"contradiction":     {[]string{"ssl = false", "enableSSL = true"}, property.Error, "something else than ssl"},
		"no key store":      {[]string{"enableSSL = true"}, property.Error, "needs a key store"},
		"both tokens":       {[]string{"auth.token = x", "auth.tokenFile = /f"}, property.Error, "remove one of the two"},
		"user alone":        {[]string{"auth.user = x"}, property.Error, "needs a password"},
		"password alone":    {[]string{"auth.password = x"}, property.Error, "needs a user"},
		"colon":             {[]string{"auth.user = a:b", "auth.password = x"}, property.Error, "no colon"},
		"empty token":       {[]string{"auth.token = "}, property.Error, "is empty"},
		"plain secrets":     {[]string{"auth.token = x"}, property.Advice, "can be read on the network"},
		"burst alone":       {[]string{"clientBurst = 5"}, property.Warning, "no effect without maxClientRate"},
		"memory":            {[]string{"maxMemory = 2000000"}, property.Warning, "less than the longest request"},
		"unknown of a kind": {[]string{"handler.foo = 1"}, property.Warning, "unknown property"},
	} {
		problems := decode(t, c.settings...).Problems
		found := false
		for _, p := range problems {
			found = found || p.Severity == c.severity && strings.Contains(p.What+"; "+p.Remedy, c.want)
		}
		if !found {
			t.Errorf("%s: no %v with %q among:\n%v", name, c.severity, c.want, problems)
		}
	}
	for _, fine := range [][]string{nil, {"handler = " + jsonClass + " "}, {"handler = " + blobClass}, {"handler = ndjson"}} {
		if problems := decode(t, fine...).Problems; len(problems) > 0 {
			t.Errorf("%v: %v", fine, problems)
		}
	}
}

func TestJettySettingsWin(t *testing.T) {
	d := decode(t, "port = 1", "bind = 192.0.2.1", "ServerConnector.port = 4711", "ServerConnector.host = 127.0.0.1",
		"HttpConfiguration.requestHeaderSize = 1024", "ServerConnector.idleTimeout = 5000",
		"exclude-protocols = TLSv1.3", "SslContextFactory.excludeProtocols = TLSv1.2 SSLv3", "SslContextFactory.needClientAuth = true")
	c, _ := d.Config.(Config)
	if got := c.hostPort(); got != "127.0.0.1:4711" {
		t.Errorf("it listens on %s", got)
	}
	if claims := c.Claims(); len(claims) != 1 || claims[0].ID != "4711" || claims[0].Host != "127.0.0.1" {
		t.Errorf("claims are %v", claims)
	}
	j, _ := c.jetty()
	if j.headerSize != 1024 || j.idle != 5*time.Second {
		t.Errorf("settings are %+v", j)
	}
	if tls := c.tls(j); strings.Join(tls.ExcludeProtocols, " ") != "TLSv1.2 SSLv3" || tls.ClientAuth != "require" {
		t.Errorf("TLS settings are %+v", tls)
	}
	for text, want := range map[string]time.Duration{"-1": 24 * time.Hour, "0": 24 * time.Hour, "60000": time.Minute} {
		d := decode(t, "ServerConnector.idleTimeout = "+text)
		c, _ := d.Config.(Config)
		if j, _ := c.jetty(); j.idle != want {
			t.Errorf("idleTimeout %s is %v", text, j.idle)
		}
	}
}

func TestOldNames(t *testing.T) {
	old := []string{"enableSSL = true", "keystore = /k.jks", "keystorePassword = old", "excludeProtocols = TLSv1.3"}
	for name, c := range map[string]struct {
		settings  []string
		password  string
		protocols string
	}{
		"alone":           {old, "old", "TLSv1.3"},
		"beside new ones": {append(old, "keystore-password = new", "exclude-protocols = SSLv3"), "new", "SSLv3"},
	} {
		d := decode(t, c.settings...)
		if d.Failed() {
			t.Fatalf("%s: %v", name, d.Problems)
		}
		cfg, _ := d.Config.(Config)
		got := cfg.tls(jettySettings{})
		if !got.SSL || got.KeystorePassword != c.password || strings.Join(got.ExcludeProtocols, " ") != c.protocols {
			t.Errorf("%s: %v, %s, %v", name, got.SSL, got.KeystorePassword, got.ExcludeProtocols)
		}
	}
}
