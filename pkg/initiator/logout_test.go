package initiator

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// exitSessionNotFound is what an iscsid answers that has just started.
const exitSessionNotFound = 2

func TestALogoutThatIsRefusedIsAskedForAgain(t *testing.T) {
	const logout = "iscsiadm -m session -r 1 --logout"
	for name, tc := range map[string]struct {
		passing bool
		want    error
	}{
		"an iscsid that has just started": {true, nil},
		"one that stays so":               {false, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			k.attach(iqn)
			k.exits["logout"], k.passing = exitSessionNotFound, tc.passing
			i.poll, i.patience = time.Millisecond, 100*time.Millisecond
			if tc.passing {
				i.patience = time.Hour
			}
			if err := i.Detach(t.Context(), iqn, naa); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if did := k.did(logout); len(did) < 2 || tc.passing && !slices.Equal(did, []string{logout, logout}) {
				t.Errorf("did %q", did)
			}
		})
	}
}
