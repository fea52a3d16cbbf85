package rpc

import "testing"

func TestService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ principal, want string }{
		{"flume", "flume/web1.example.org"},
		{"flume@EXAMPLE.ORG", "flume/web1.example.org@EXAMPLE.ORG"},
		{"flume/other@EXAMPLE.ORG", "flume/other@EXAMPLE.ORG"},
		{"flume/_HOST", "flume/_HOST"},
	} {
		if got, err := service(c.principal, "Web1.example.org"); err != nil || got != c.want {
			t.Errorf("the service of %s is %s (%v), want %s", c.principal, got, err, c.want)
		}
	}
	if got, err := service("flume@", "web1"); err == nil {
		t.Errorf("a principal without a realm is %s", got)
	}
}
