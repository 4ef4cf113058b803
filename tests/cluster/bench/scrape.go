package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/san-csi/san-csi/tests/cluster"
)

// The ports of the chart, by what serves on them.
const (
	nodePort   = "19809"
	driverPort = "8080"
)

var sidecarPorts = []string{"8081", "8082", "8083", "8084"}

// spent is how many calls there were and how long they took, seconds.
type spent struct{ calls, seconds float64 }

// sums are the calls by who measured them and their method.
type sums struct {
	sidecar map[string]spent // as the sidecars saw the driver's calls
	driver  map[string]spent // CSI calls, controller and nodes
	array   map[string]spent // calls of the array's API
}

// since is what came after the former.
func (s sums) since(former sums) sums {
	less := func(a, b map[string]spent) map[string]spent {
		d := map[string]spent{}
		for method, v := range a {
			if v.calls > b[method].calls {
				d[method] = spent{v.calls - b[method].calls, v.seconds - b[method].seconds}
			}
		}
		return d
	}
	return sums{less(s.sidecar, former.sidecar), less(s.driver, former.driver), less(s.array, former.array)}
}

// all is the sum of these methods, of every one without any.
func all(of map[string]spent, methods ...string) (sum spent) {
	for _, method := range methods {
		sum.calls, sum.seconds = sum.calls+of[method].calls, sum.seconds+of[method].seconds
	}
	if len(methods) == 0 {
		for _, v := range of {
			sum.calls, sum.seconds = sum.calls+v.calls, sum.seconds+v.seconds
		}
	}
	return sum
}

// scrape reads the leader's pod and the nodes.
func (b *bench) scrape(ctx context.Context) (sums, error) {
	s := sums{map[string]spent{}, map[string]spent{}, map[string]spent{}}
	lease, err := b.client.CoordinationV1().Leases(cluster.Namespace).Get(ctx, "san-csi.io", metav1.GetOptions{})
	if err != nil {
		return s, err
	}
	leader, err := b.client.CoreV1().Pods(cluster.Namespace).Get(ctx, *lease.Spec.HolderIdentity, metav1.GetOptions{})
	if err != nil {
		return s, err
	}
	addresses := []string{net.JoinHostPort(leader.Status.PodIP, driverPort)}
	for _, port := range sidecarPorts {
		addresses = append(addresses, net.JoinHostPort(leader.Status.PodIP, port))
	}
	for _, w := range b.Workers {
		addresses = append(addresses, net.JoinHostPort(w.VM.IP, nodePort))
	}
	for _, address := range addresses {
		if err := s.read(ctx, "http://"+address+"/metrics"); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s sums) read(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return s.parse(response.Body)
}

// sample is a line of a histogram's sum or count in Prometheus' text format.
var sample = regexp.MustCompile(`^(csi_sidecar_operations_seconds|san_csi_grpc_call_duration_seconds|san_csi_array_call_duration_seconds)_(sum|count)\{(.*)\} (\S+)$`)

var methodLabel = regexp.MustCompile(`method(?:_name)?="([^"]*)"`)

func (s sums) parse(text io.Reader) error {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		m := sample.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		method := methodLabel.FindStringSubmatch(m[3])
		value, err := strconv.ParseFloat(m[4], 64)
		if method == nil || err != nil {
			return fmt.Errorf("sample %q: %w", lines.Text(), err)
		}
		name := method[1][strings.LastIndex(method[1], "/")+1:] // sidecars give it with its service
		to := map[string]map[string]spent{"csi_sidecar": s.sidecar, "san_csi_grp": s.driver, "san_csi_arr": s.array}[m[1][:11]]
		v := to[name]
		if m[2] == "sum" {
			v.seconds += value
		} else {
			v.calls += value
		}
		to[name] = v
	}
	return lines.Err()
}
