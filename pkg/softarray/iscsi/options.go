package iscsi

import (
	"cmp"
	"time"
)

// Options are the server's limits; a zero value takes the default.
type Options struct {
	// LoginTimeout bounds a login from accept to full feature phase; 15 s.
	LoginTimeout time.Duration
	// NopInterval is how long a peer may be silent before it is pinged, and
	// NopTimeout how much longer before its connection is closed; 30 s each.
	// A peer that owes the data of a write has the sum of both.
	NopInterval, NopTimeout time.Duration
	// StallTimeout is how long a peer may leave what is sent to it unread; 30 s.
	StallTimeout time.Duration
	// QueueDepth is how many commands a session may have in flight; 128.
	QueueDepth int

	// MaxConnections bounds the connections of all listeners together; 8192.
	MaxConnections int
	// MaxLogins bounds the logins under way from one host; 256.
	MaxLogins int
	// MaxSessions bounds the sessions of one initiator name; 4096.
	MaxSessions int

	// MaxDataOut bounds the bytes of writes that a session may have under way,
	// MaxMemory the data buffers of all sessions together. What is above is
	// answered TASK SET FULL; 64 MiB and 1 GiB.
	MaxDataOut, MaxMemory int64
}

func (o Options) withDefaults() Options {
	o.LoginTimeout = cmp.Or(o.LoginTimeout, 15*time.Second)
	o.NopInterval = cmp.Or(o.NopInterval, 30*time.Second)
	o.NopTimeout = cmp.Or(o.NopTimeout, 30*time.Second)
	o.StallTimeout = cmp.Or(o.StallTimeout, 30*time.Second)
	o.QueueDepth = cmp.Or(o.QueueDepth, 128)
	o.MaxConnections = cmp.Or(o.MaxConnections, 8192)
	o.MaxLogins = cmp.Or(o.MaxLogins, 256)
	o.MaxSessions = cmp.Or(o.MaxSessions, 4096)
	o.MaxDataOut = cmp.Or(o.MaxDataOut, 64<<20)
	o.MaxMemory = cmp.Or(o.MaxMemory, 1<<30)
	return o
}
