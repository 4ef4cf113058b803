package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/secrets"
)

// Secrets are all of the array, by what they are of.
func (l *Lab) Secrets(ctx context.Context) (map[string]string, error) {
	all, err := secrets.Array{
		Endpoint: "https://" + l.Array.APIAddress() + apiPath, Username: l.Username, Password: l.Password, CAFile: l.Array.CAFile(),
	}.Of(ctx)
	if err != nil {
		return nil, fmt.Errorf("secrets of the array: %w", err)
	}
	return all, nil
}

// CollectSpans has the drivers of the nodes that boot from now on tell their
// spans, for CheckSecrets. It returns what ends it.
func (l *Lab) CollectSpans() (end func() error, err error) {
	l.spans, err = secrets.Collect(net.JoinHostPort(guest.HostIP, "0"), filepath.Join(filepath.Dir(l.data), "spans"))
	if err != nil {
		return nil, err
	}
	return l.spans.Close, nil
}

// CheckSecrets ends the nodes' drivers, and looks for the array's secrets, those
// of CHAP among them, in their logs and spans and in the array's log. It is to be
// asked while what had secrets is still there.
func (l *Lab) CheckSecrets(ctx context.Context, nodes ...*Node) error {
	all, err := l.Secrets(ctx)
	if err != nil {
		return err
	}
	s, err := secrets.New(all)
	if err != nil {
		return err
	}
	found := []error{s.Files(l.Array.Log())}
	for _, n := range nodes {
		if err := n.endDriver(ctx); err != nil {
			return err
		}
		log, err := n.VM.Get(ctx, Log)
		if err != nil {
			return fmt.Errorf("log of the driver: %w", err)
		}
		found = append(found, s.Reader("the driver's "+Log, bytes.NewReader(log)))
	}
	if l.spans != nil {
		found = append(found, l.spans.Check(s))
	}
	return errors.Join(found...)
}
