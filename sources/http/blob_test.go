package http

import (
	"bytes"
	"strings"
	"testing"
)

func TestBlobs(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	const other = "Content-Type: x/y"
	blob := begin(t, "handler = "+blobClass, "handler.maxBlobLength = 20")
	legacy := begin(t, "handler = "+legacyBlobClass, "handler.mandatoryParameters = p")
	for _, c := range []struct {
		to                       *subject
		content, path, mediaType string
		status                   int
		want                     string
	}{
		{blob, "hello", "/?a=1&b=2&a=3&p=0", other, 200, "{Content-Type=x/y, a=1, b=2, p=0} hello"},
		{blob, "hello", "/?p=%C3%A9&r=a+b&s&t=", "X: 1", 200, "{p=é, r=a b, s=, t=} hello"},
		{blob, "01234567890123456789", "/", other, 200, "{Content-Type=x/y} 01234567890123456789"},
		{blob, "01234567890123456789ab", "/", other, 200, "{Content-Type=x/y} 01234567890123456789"},
		{blob, "", "/?p=1", other, 200, "{Content-Type=x/y, p=1} "},
		{blob, "c=1&p=2", "/?p=1", form, 200, "{Content-Type=application/x-www-form-urlencoded, c=1, p=1} "},
		{blob, "hello", "/", form, 200, "{Content-Type=application/x-www-form-urlencoded, hello=} "},
		{blob, "p=1;q=2", "/", form, 200, "{Content-Type=application/x-www-form-urlencoded, p=1;q=2} "},
		{blob, "x", "/?q=%zz", other, 400, ""}, // Flume: 500
		{blob, "a%zz=1", "/", form, 400, ""},   // Flume: 500
		{blob, strings.Repeat("x", 200_001), "/", form, 413, ""},
		{blob, "x", "/?" + strings.Repeat("a&", 1001), other, 413, ""},
		{legacy, "hello", "/?a=1&b=2&a=3&p=0", other, 200, "{a=1, b=2, p=0} hello"},
		{legacy, "01234567890123456789ab", "/?p=1", other, 200, "{p=1} 01234567890123456789ab"},
		{legacy, "c=1&p=2", "/?p=1", form, 200, "{p=1} c=1&p=2"},
		{legacy, "hello", "/", form, 500, ""},
	} {
		got := c.to.send(t, "POST", c.path, []byte(c.content), c.mediaType)
		if got.status != c.status {
			t.Errorf("%.40q to %.40s is answered with %d, not %d: %s", c.content, c.path, got.status, c.status, got.body)
		}
		if events := c.to.out.take(); events != c.want {
			t.Errorf("%.40q to %.40s becomes %q, not %q", c.content, c.path, events, c.want)
		}
	}
	if got := legacy.send(t, "POST", "/", nil); !strings.Contains(got.body, textBroken+"Please specify p parameter in the request.") {
		t.Errorf("without a mandatory parameter: %s", got.body)
	}
	if got := blob.counted()["requests_truncated"]; got != "1" {
		t.Errorf("requests_truncated is %s", got)
	}
	large := bytes.Repeat([]byte("0123456789"), 300_000)
	if got := legacy.send(t, "POST", "/?p=1", large); got.status != 200 || legacy.out.take() != "{p=1} "+string(large) {
		t.Errorf("3 MB are answered with %d", got.status)
	}
	if got := blob.send(t, "POST", "/", large, other); got.status != 200 {
		t.Errorf("3 MB of which 20 bytes are kept are answered with %d", got.status)
	}
	blob.out.take()
	raw := gzipped([]byte("x"))
	if blob.send(t, "POST", "/", raw[:18], other, "Content-Encoding: gzip"); !strings.HasSuffix(blob.out.take(), string(raw[:18])) {
		t.Error("a compressed blob is not stored as it came")
	}
}
