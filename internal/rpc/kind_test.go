package rpc

import (
	"strings"
	"testing"
)

func TestLookupKind(t *testing.T) {
	for name, want := range map[string]Kind{
		"default": Default, "THRIFT": Thrift, "Default_Failover": DefaultFailover, "default_loadbalance": DefaultLoadBalance,
		"org.apache.flume.api.LoadBalancingRpcClient": DefaultLoadBalance,
	} {
		if k, _, ok := LookupKind(name); !ok || k != want {
			t.Errorf("%s is %v, %v", name, k, ok)
		}
		if k, _, ok := LookupKind(want.String()); !ok || k != want {
			t.Errorf("%v is called %s, which is %v", want, want, k)
		}
	}
	for name, want := range map[string]string{"default_failver": `did you mean "default_failover"?`, "com.example.Client": "use default, thrift,"} {
		if _, remedy, ok := LookupKind(name); ok || !strings.HasPrefix(remedy, want) {
			t.Errorf("%s: %v, %q", name, ok, remedy)
		}
	}
}
