package monitor

import (
	"mime"
	"strings"
)

// acceptsPrometheus reports whether a client asks for one of Prometheus' formats
// and not for JSON. Every scraper names a version with its format; clients that
// take anything, and browsers, do not and get what Flume would give them.
func acceptsPrometheus(accept []string) bool {
	asked := false
	for r := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(r))
		if err != nil || strings.Trim(params["q"], "0.") == "" && params["q"] != "" {
			continue // not understood, or refused with q=0
		}
		switch media {
		case "application/json":
			return false
		case "text/plain":
			asked = asked || params["version"] != ""
		case "application/openmetrics-text", "application/vnd.google.protobuf":
			asked = true
		}
	}
	return asked
}
