package monitor

import (
	"net/http"
	"time"

	"github.com/flume-go/flume/pipeline"
)

// verdict is the body of /healthz and /readyz.
type verdict struct {
	Status     string    `json:"status"` // ok or failing; ready or not ready
	Reasons    []string  `json:"reasons,omitempty"`
	Components []failure `json:"components,omitempty"`
}

// failure is a component that makes an agent unhealthy.
type failure struct {
	Kind  string         `json:"kind"`
	Name  string         `json:"name"`
	State pipeline.State `json:"state"`
	Since time.Time      `json:"since,omitzero"`
	Error string         `json:"error,omitempty"`
}

// healthz answers 200 when no component fails, and 503 with those that do.
func (h *handler) healthz(w http.ResponseWriter, _ *http.Request) {
	v := verdict{Status: "ok"}
	r := h.look()
	for i := range r.Components {
		if c := &r.Components[i]; c.failing() {
			v.Status = "failing"
			v.Components = append(v.Components, failure{c.Kind, c.Name, c.State, c.Since, c.Error})
		}
	}
	answer(w, status(v.Status == "ok"), v)
}

// readyz answers 200 when the agent takes events in, and 503 with the reasons why
// it does not.
func (h *handler) readyz(w http.ResponseWriter, _ *http.Request) {
	v := verdict{Status: "ready"}
	if v.Reasons = h.look().unready(); len(v.Reasons) > 0 {
		v.Status = "not ready"
	}
	answer(w, status(v.Status == "ready"), v)
}

func status(good bool) int {
	if good {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
