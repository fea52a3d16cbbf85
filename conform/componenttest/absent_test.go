package componenttest_test

import (
	"strings"
	"testing"

	_ "github.com/flume-go/flume/all"
	"github.com/flume-go/flume/component"
)

// TestWhatIsRegisteredIsNotCalledAbsent: whoever adds a type of Apache Flume's takes its names from the list of those
// that are not there.
func TestWhatIsRegisteredIsNotCalledAbsent(t *testing.T) {
	for _, kind := range component.Kinds {
		all := component.All(kind)
		if len(all) == 0 {
			t.Errorf("no %s is registered", kind)
		}
		for _, e := range all {
			for _, name := range append([]string{e.Info.Type}, e.Info.Aliases...) {
				if what, _ := component.Unknown(kind, name); strings.Contains(what, "this version does not have") {
					t.Errorf("%s, which is registered: %s; remove it in component/absent.go", name, what)
				}
			}
		}
	}
	if what, _ := component.Unknown(component.KindSink, "hdfs"); !strings.Contains(what, "this version does not have") {
		t.Errorf("hdfs, which is not registered: %s", what)
	}
}
