package monitor

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/pipeline"
)

//go:embed assets/page.html assets/page.css assets/page.js
var assets embed.FS

var (
	pageTemplate = template.Must(template.ParseFS(assets, "assets/page.html"))
	pageStyle    = mustRead("assets/page.css")
	pageScript   = mustRead("assets/page.js")

	// pagePolicy lets the page use its own style and script, known by their hashes,
	// and ask its own server; nothing else, so that a name or an error with markup
	// in it could do nothing even if it were not escaped.
	pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"connect-src 'self'; img-src data:; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript)
)

func mustRead(name string) string {
	b, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // embedded: the build is broken
	}
	return string(b)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page answers with the page for people.
func (h *handler) page(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&body, "page", newPageView(h.look())); err != nil {
		http.Error(w, "making the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html;charset=utf-8")
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(body.Bytes()) // a client that left needs no answer
}

// pageView is what the page's template shows.
type pageView struct {
	Report    *report
	Columns   []column
	Attention []unitView
	Style     template.CSS
	Script    template.JS
}

type column struct {
	Title string
	Units []unitView
}

// unitView is a component with the words for its card.
type unitView struct {
	*unit
	now time.Time
}

func newPageView(r *report) *pageView {
	v := &pageView{
		Report:  r,
		Columns: []column{{Title: "Sources"}, {Title: "Channels"}, {Title: "Sinks"}},
		Style:   template.CSS(pageStyle), Script: template.JS(pageScript), //nolint:gosec // embedded, not input
	}
	at := map[string]int{"source": 0, "channel": 1, "sink": 2}
	for i := range r.Components {
		u := unitView{&r.Components[i], r.Time}
		c := &v.Columns[at[u.Kind]]
		c.Units = append(c.Units, u)
		if u.Trouble() != "" {
			v.Attention = append(v.Attention, u)
		}
	}
	return v
}

// Millis is the time of the report, for the rates.
func (v *pageView) Millis() int64 { return v.Report.Time.UnixMilli() }

// Headline is the agent's state in a few words.
func (v *pageView) Headline() string {
	switch r := v.Report; {
	case r.Stopping:
		return "stopping"
	case len(r.Components) == 0:
		return "nothing runs"
	case len(v.Attention) == 1:
		return "1 component needs attention"
	case len(v.Attention) > 1:
		return fmt.Sprintf("%d components need attention", len(v.Attention))
	case !r.Ready:
		return "starting"
	default:
		return "all is well"
	}
}

// Colour is the agent's state as a colour: that of its worst component.
func (v *pageView) Colour() string {
	if v.Report.Stopping || len(v.Report.Components) == 0 {
		return "grey"
	}
	worst := "green"
	for i := range v.Report.Components {
		switch (unitView{&v.Report.Components[i], v.Report.Time}).Colour() {
		case "red":
			return "red"
		case "amber":
			worst = "amber"
		}
	}
	return worst
}

// Reloads is a sentence.
func (v *pageView) Reloads() string {
	r := v.Report.Reloads
	if r.LastAt.IsZero() {
		return "The configuration has not been reloaded."
	}
	last := "changed nothing"
	switch {
	case r.LastError != "":
		last = "failed; the configuration before it is in force"
	case len(r.LastChanged) > 0:
		last = "succeeded and changed: " + strings.Join(r.LastChanged, ", ")
	}
	return fmt.Sprintf("Reloads: %d succeeded, %d failed. The last one, %s ago, %s.", r.Succeeded, r.Failed, age(v.Report.Time.Sub(r.LastAt)), last)
}

// ID is the card's anchor.
func (u unitView) ID() string { return u.Kind + "-" + u.Name }

// ChannelList is the names of the channels for the script; names have no spaces.
func (u unitView) ChannelList() string { return strings.Join(u.Channels, " ") }

// Colour is the state as a colour: amber for what may pass by itself.
func (u unitView) Colour() string {
	switch {
	case u.State == pipeline.StateFailed:
		return "red"
	case u.State == pipeline.StateStarting, u.Trouble() != "":
		return "amber"
	case u.working():
		return "green"
	default:
		return "grey"
	}
}

// Trouble says why a person should look at the component; "" if none should.
func (u unitView) Trouble() string {
	switch {
	case u.State == pipeline.StateFailed:
		return "failed: " + u.Error
	case u.State == pipeline.StateRetrying:
		return "retrying: " + u.Error
	case u.Blocked != "" && u.Kind == "channel":
		return fmt.Sprintf("holds %s events: %s", count(int64(u.Store.Events)), u.Blocked)
	case u.Blocked != "":
		return u.Blocked
	default:
		return ""
	}
}

// StateFor is how long the component has been in its state.
func (u unitView) StateFor() string {
	if u.Since.IsZero() {
		return ""
	}
	return age(u.now.Sub(u.Since))
}

// Wiring names the channels at the other end of the lines, for those who cannot
// see them.
func (u unitView) Wiring() string {
	names := strings.Join(u.Channels, ", ")
	switch {
	case names == "":
		return ""
	case u.Kind == "source":
		return "to " + names
	default:
		return "from " + names
	}
}

// Healthy reports whether the state needs no colour.
func (u unitView) Healthy() bool { return u.working() }

// Open reports whether the component is a channel whose content is known.
func (u unitView) Open() bool { return u.Store != nil && u.working() }

// FillPercent is the filled part of the channel, 0 to 100.
func (u unitView) FillPercent() string {
	return strconv.FormatFloat(100*u.Store.fill(), 'f', 1, 64)
}

// FillColour warns of a channel that is nearly full.
func (u unitView) FillColour() string {
	switch f := u.Store.fill(); {
	case f >= .98:
		return "red"
	case f >= .8:
		return "amber"
	default:
		return ""
	}
}

// FillText is the channel's content in words.
func (u unitView) FillText() string {
	events := count(int64(u.Store.Events))
	if u.Store.Capacity <= 0 {
		return events + " events"
	}
	return fmt.Sprintf("%s of %s events, %s %%", events, count(int64(u.Store.Capacity)), u.FillPercent())
}

// OldestText is the age of the channel's oldest event.
func (u unitView) OldestText() string {
	if u.Store.OldestAgeSeconds == 0 {
		return ""
	}
	return "oldest event: " + age(time.Duration(u.Store.OldestAgeSeconds*float64(time.Second)))
}

// Totals is what went through since the component's start.
func (u unitView) Totals() string {
	switch in, out := count(u.In), count(u.Out); u.Kind {
	case "channel":
		return in + " put, " + out + " taken"
	case "sink":
		return out + " events delivered"
	default:
		return out + " events accepted"
	}
}

// ErrorText says when the last error was.
func (u unitView) ErrorText() string {
	text := "Last error"
	if !u.ErrorAt.IsZero() {
		text += ", " + age(u.now.Sub(u.ErrorAt)) + " ago"
	}
	if u.failing() && u.Failures > 1 {
		text += fmt.Sprintf(", %s in a row", count(int64(u.Failures)))
	}
	return text
}

// count writes n with a comma between each three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// age writes a duration for people: its largest unit, or two near a border.
func age(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}
