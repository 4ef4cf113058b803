package sanity

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/tests/secrets"
)

// TestMain keeps the log of refused calls, most of this package's calls, away,
// and looks through it for the arrays' password.
func TestMain(m *testing.M) {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"--logtostderr=false", "--stderrthreshold=FATAL", "--v=4"})
	var log buffer
	klog.SetOutput(&log)
	code := m.Run()
	klog.Flush()
	s, err := secrets.New(map[string]string{"array password": password})
	if err == nil {
		err = s.Reader("log", &log.text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buffer is what is logged from many sides.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}
