package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// keepParams say how a snapshot is to be kept; those of a group say it for all
// its members.
type keepParams struct {
	Name       string     `json:"name"`
	Attributes attributes `json:"attributes"`
	Replicate  boolean    `json:"enableRemoteReplication"`
	Retention  string     `json:"retention"` // HH:mm:ss
	Expiration expiration `json:"expirationTime"`
	Label      *string    `json:"snapMirrorLabel"`
}

// expiration is until when: a time, null = for ever, "fifo" = until newer ones
// need the place; "" is not given.
type expiration struct {
	Given bool
	FIFO  bool
	Text  string
}

func (e *expiration) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*e = expiration{Given: true}
		return nil
	}
	if err := json.Unmarshal(b, &e.Text); err != nil {
		return errors.New("a time is a string")
	}
	e.Given, e.FIFO = e.Text != "", e.Text == "fifo"
	return nil
}

// newSnapshot is a snapshot of a volume with the given properties, not stored yet.
func (c *call) newSnapshot(volume int64, p keepParams) (store.Snapshot, error) {
	s := store.Snapshot{
		VolumeID: volume, Name: at(c.now), Created: c.now,
		UUID: uuid.NewString(), InstanceUUID: uuid.NewString(),
	}
	return s, c.applyKeep(&s, p)
}

// applyKeep changes what is given.
func (c *call) applyKeep(s *store.Snapshot, p keepParams) error {
	s.Name = cmp.Or(p.Name, s.Name)
	if err := within("length of name", int64(len(s.Name)), 1, snapshotMax); err != nil {
		return err
	}
	if p.Label != nil {
		if err := within("length of snapMirrorLabel", int64(len(*p.Label)), 0, mirrorMax); err != nil {
			return err
		}
		s.MirrorLabel = *p.Label
	}
	if err := p.Attributes.apply(&s.Attributes); err != nil {
		return err
	}
	s.Replicate = p.Replicate.or(s.Replicate)
	return c.applyExpiration(s, p)
}

func (c *call) applyExpiration(s *store.Snapshot, p keepParams) error {
	if p.Retention != "" && p.Expiration.Text != "" {
		return failf(invalidParameter, "retention and expirationTime are mutually exclusive")
	}
	expires, err := c.expiry(p)
	if err != nil {
		return err
	}
	if p.Retention != "" || p.Expiration.Given {
		s.Expires, s.FIFO = expires, p.Expiration.FIFO
	}
	if !s.Expires.IsZero() {
		c.after(func(Data) { c.expiryAt(s.Expires) })
	}
	return nil
}

// expiry is when a snapshot so kept is removed, zero = never.
func (c *call) expiry(p keepParams) (time.Time, error) {
	if p.Retention != "" {
		period, err := parseRetention(p.Retention)
		return c.now.Add(period), err
	}
	if p.Expiration.Text == "" || p.Expiration.FIFO {
		return time.Time{}, nil
	}
	expires, err := parseTime("expirationTime", p.Expiration.Text)
	if err == nil && !expires.After(c.now) {
		return expires, failf(invalidParameter, "expirationTime %s is not in the future", p.Expiration.Text)
	}
	return expires, err
}

var retention = regexp.MustCompile(`^(\d+):([0-5]\d):([0-5]\d)$`)

func parseRetention(text string) (time.Duration, error) {
	parts := retention.FindStringSubmatch(text)
	if parts == nil {
		return 0, failf(invalidParameter, "retention %q is not of the form HH:mm:ss", text)
	}
	hours, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || hours >= math.MaxInt64/int64(time.Hour) {
		return 0, failf(invalidParameter, "retention %q is too long", text)
	}
	rest, err := time.ParseDuration(parts[2] + "m" + parts[3] + "s")
	if err != nil {
		return 0, err
	}
	period := time.Duration(hours)*time.Hour + rest
	if period == 0 {
		return 0, failf(invalidParameter, "retention %q keeps nothing", text)
	}
	return period, nil
}

// fifosOf are the fifo ones of a volume's snapshots, the oldest first.
func fifosOf(held []store.Snapshot) []store.Snapshot {
	return slices.DeleteFunc(slices.Clone(held), func(s store.Snapshot) bool { return !s.FIFO })
}

// makeRoom finds a place for one more snapshot of a volume. A fifo one pushes
// out the oldest fifo one where there are fifoSize of them or no place is left;
// any other must leave them minFifoSize places.
func (c *call) makeRoom(v store.Volume, fifo bool) error {
	held, err := c.tx.SnapshotsOf(v.ID)
	if err != nil {
		return err
	}
	oldest := fifosOf(held)
	all, fifos := int64(len(held)), int64(len(oldest))
	if fifo && fifos > 0 && (fifos >= fifoSize(v) || all >= snapshotsPerVolumeMax) {
		return c.tx.RemoveSnapshot(oldest[0].ID)
	}
	if all >= snapshotsPerVolumeMax || !fifo && all-fifos >= snapshotsPerVolumeMax-v.MinFIFOSize {
		return failf(maxSnapshotsPerVolume, "Exceeded maximum number of snapshots of VolumeID %d: it has %d of %d, %d are kept for fifo",
			v.ID, all, snapshotsPerVolumeMax, v.MinFIFOSize)
	}
	return nil
}
