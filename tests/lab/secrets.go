package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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

// CheckSecrets looks for the array's secrets, those of CHAP among them, in the
// logs of the nodes' drivers and of the array. It is to be asked while what had
// secrets is still there.
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
		log, err := n.VM.Get(ctx, Log)
		if err != nil {
			return fmt.Errorf("log of the driver: %w", err)
		}
		found = append(found, s.Reader("the driver's "+Log, bytes.NewReader(log)))
	}
	return errors.Join(found...)
}
