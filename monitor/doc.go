// Package monitor holds the ways out of a running agent: what reads its metrics
// and states and shows them to people and programs. Nothing here touches the path
// of the events; every answer is computed when it is asked for.
//
// # Reporters
//
// The properties flume.monitoring.* choose a reporter by Apache Flume's names:
//
//	http        JSON under Flume's attribute names on /metrics, and beside it a page
//	            for people on /, Prometheus on /prometheus, and /status, /healthz
//	            and /readyz
//	prometheus  the same server with the Prometheus text format on /metrics
//	ganglia     packets of Ganglia 3.0 or 3.1, sent at an interval
//
// A port that is in use does not keep the agent from running: it is tried again
// until it is free. The reporters show and never change anything, so they have no
// access control, as in Flume; the property bind narrows who reaches them.
//
// # Admin API
//
// What changes an agent has a listener of its own, which exists only when
// flume.admin.address names it; see NewAdmin.
package monitor
