package syslog

import (
	"fmt"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/javatime"
)

// Settings is the properties that all sources of syslog messages have.
type Settings struct {
	KeepFields     string `flume:"keepFields" default:"none" doc:"What of a message's head stays in front of the body: none, all (the whole message as it came), or any of priority, version, timestamp and hostname."`
	ClientIP       string `flume:"clientIPHeader" doc:"Name of the header that gets the address of the sender. Without, there is none."`
	ClientHostname string `flume:"clientHostnameHeader" doc:"Name of the header that gets the host name of the sender, as name servers tell it, or else its address. Without, there is none."`
	StructuredData string `flume:"structured-data" default:"body" enum:"body,headers" doc:"Where what RFC 5424 has between the host and the text goes: it stays in the body as in Flume, or becomes headers: appname, procid, msgid, and one for each parameter, such as exampleSDID@32473.iut."`
	TimeZone       string `flume:"time-zone" doc:"Zone of stamps that name none, such as Europe/Berlin. Without, that of this host, or UTC for multiport_syslogtcp."`
	Compat         string `flume:"compat" default:"none" enum:"none,flume" doc:"Whether to make just those events that Apache Flume makes, its faults included: none or flume."`
}

// Check reports what has no meaning.
func (s Settings) Check(r *component.Report) {
	if _, ok := ParseKeep(s.KeepFields); !ok {
		r.Warn("keepFields", "names no field, and none is kept", "name some of priority, version, timestamp and hostname, or write all or none")
	}
	if s.TimeZone != "" {
		if _, err := zone(s.TimeZone); err != nil {
			r.Error("time-zone", err.Error(), "write a zone like Europe/Berlin, UTC or GMT+02:00")
		}
	}
}

// Flume reports whether Flume's faults are wanted.
func (s Settings) Flume() bool { return strings.EqualFold(s.Compat, "flume") }

// Options returns how to parse by these settings.
func (s Settings) Options(d Dialect, custom *Custom) (Options, error) {
	o := Options{Dialect: d, Flume: s.Flume(), Structured: strings.EqualFold(s.StructuredData, "headers"), Custom: custom}
	o.Keep, _ = ParseKeep(s.KeepFields)
	if s.TimeZone != "" {
		var err error
		if o.Zone, err = zone(s.TimeZone); err != nil {
			return o, fmt.Errorf("property time-zone: %w", err)
		}
	}
	return o, nil
}

// zone finds a zone by its Java name. Java takes GMT for what it does not know.
func zone(name string) (*time.Location, error) {
	loc := javatime.Location(name)
	if loc.String() == "GMT" && !strings.HasPrefix(name, "GMT") {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	return loc, nil
}
