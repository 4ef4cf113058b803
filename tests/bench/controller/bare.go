package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
)

// bareCommand makes this program the bare client: the standard library's HTTP
// and JSON, and the calls that the driver makes for a create, with its bodies.
const bareCommand = "bare-client"

// bareSetup is what the bare client is told first.
type bareSetup struct {
	Endpoint, Username, Password, CAFile string
	AccountID, TotalSize                 int64
	MinIOPS, MaxIOPS, BurstIOPS          int64
	Attributes                           json.RawMessage
}

// bareRound asks for so many creates, bareDone tells what they took.
type (
	bareRound struct{ Creates int }
	bareDone  struct{ CPU time.Duration }
)

// bareClient calls one array.
type bareClient struct {
	bareSetup
	http *http.Client
	made int
}

func serveBare(ctx context.Context, in io.Reader, out io.Writer) error {
	asked, answers := json.NewDecoder(in), json.NewEncoder(out)
	c := &bareClient{}
	if err := asked.Decode(&c.bareSetup); err != nil {
		return err
	}
	authority, err := os.ReadFile(c.CAFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: workers}}
	for {
		var round bareRound
		if err := asked.Decode(&round); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		took, err := c.round(ctx, round.Creates)
		if err != nil {
			return err
		}
		if err := answers.Encode(bareDone{took}); err != nil {
			return err
		}
	}
}

// round makes volumes and then deletes them; the making counts.
func (c *bareClient) round(ctx context.Context, creates int) (time.Duration, error) {
	ids := make([]int64, creates)
	before, err := used()
	if err != nil {
		return 0, err
	}
	first := c.made
	c.made += creates
	err = parallel(creates, func(i int) (err error) {
		ids[i], err = c.create(ctx, fmt.Sprintf("pvc-bare-%d", first+i))
		return err
	})
	if err != nil {
		return 0, err
	}
	after, err := used()
	if err != nil {
		return 0, err
	}
	for _, method := range []string{"DeleteVolumes", "PurgeDeletedVolumes"} {
		if _, err := c.call(ctx, method, map[string]any{"volumeIDs": ids}); err != nil {
			return 0, err
		}
	}
	return after - before, nil
}

func (c *bareClient) create(ctx context.Context, name string) (int64, error) {
	if _, err := c.call(ctx, "ListVolumes", map[string]any{"accounts": []int64{c.AccountID}, "volumeName": name}); err != nil {
		return 0, err
	}
	id, err := c.call(ctx, "CreateVolume", map[string]any{
		"name": name, "accountID": c.AccountID, "totalSize": c.TotalSize, "enable512e": false, "attributes": c.Attributes,
		"qos": map[string]int64{"minIOPS": c.MinIOPS, "maxIOPS": c.MaxIOPS, "burstIOPS": c.BurstIOPS},
	})
	if err != nil {
		return 0, err
	}
	_, err = c.call(ctx, "ModifyVolume", map[string]any{"volumeID": id, "attributes": c.Attributes})
	return id, err
}

// call returns the id of the volume in the answer, 0 where there is none.
func (c *bareClient) call(ctx context.Context, method string, params map[string]any) (int64, error) {
	body, err := json.Marshal(map[string]any{"method": method, "params": params, "id": 1})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(c.Username, c.Password)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Result struct {
			Volume struct {
				VolumeID int64 `json:"volumeID"`
			} `json:"volume"`
		} `json:"result"`
		Error *struct{ Name string } `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("%s: %w", method, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // so that the connection is used again
		return 0, err
	}
	if answer.Error != nil {
		return 0, fmt.Errorf("%s: %s", method, answer.Error.Name)
	}
	return answer.Result.Volume.VolumeID, nil
}

// used is the processor time of this process, getrusage(2).
func used() (time.Duration, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}
