package cluster

import (
	"context"
	"errors"
	"net"
	"strings"
)

// evaluationIP is the cluster IP of the evaluation array's Service.
const evaluationIP = "10.96.0.77"

// evaluationPorts are the Service's ports, and the pod's.
var evaluationPorts = map[string]string{"443": "8443", "3260": "3260"}

// InstallEvaluation installs the driver with the chart's own array, on the host,
// and returns when both are ready.
func (c *Cluster) InstallEvaluation(ctx context.Context) error {
	progress("installing the driver with the evaluation array by helm")
	values := placement()
	evaluation := onHost(local("san-array"))
	evaluation["enabled"], evaluation["clusterIP"] = true, evaluationIP
	evaluation["persistence"] = map[string]any{"enabled": false}
	values["evaluation"] = evaluation
	if err := c.install(ctx, c.files.Chart, values); err != nil {
		return err
	}
	ip, err := c.Kubectl(ctx, "get", "pod", "--namespace", Namespace, Release+"-evaluation-0", "--output=jsonpath={.status.podIP}")
	if err != nil {
		return err
	}
	return c.serve(ctx, evaluationIP, strings.TrimSpace(ip), evaluationPorts)
}

// serve does for one Service what kube-proxy does for all: who connects to a
// port of the cluster IP reaches a port of the pod, until the cluster is closed.
func (c *Cluster) serve(ctx context.Context, clusterIP, podIP string, ports map[string]string) error {
	if _, err := run(ctx, "ip", "address", "add", clusterIP+"/32", "dev", "lo"); err != nil {
		return err
	}
	var errs []error
	for port, target := range ports {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort(clusterIP, port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.listeners = append(c.listeners, listener)
		go forward(listener, net.JoinHostPort(podIP, target))
	}
	return errors.Join(errs...)
}
