package proc

import "time"

// Usage is what a process has taken from the machine up to a moment.
type Usage struct {
	CPU  time.Duration // user and system time of all its threads
	RSS  int64         // resident memory, bytes
	Peak int64         // largest resident memory so far, bytes
}

// Memory of sockets belongs to the kernel and is in no process's figures.
