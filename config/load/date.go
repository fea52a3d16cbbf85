package load

import (
	"errors"
	"time"
)

func formatDate(string, time.Time) (string, error) { return "", errors.New("temporary") }
